#include "engine/trained.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "core/profile.h"
#include "optim/squared_norm.h"

namespace st {

Trained::Trained(Parameters& parameters, std::string prefix, const Config& optimizer, bool queued)
    : parameters_(parameters),
      prefix_(std::move(prefix)),
      gradients_(parameters),
      optimizer_(make_optimizer(optimizer, parameters.layout.trained_end(), parameters.flat())),
      lazy_rows_(queued ? nullptr : optimizer_->lazy_rows(parameters)),
      queued_(queued) {
  if (queued_) updates_there_ = at::zeros({}, parameters.flat().options().dtype(at::kFloat));
  set_groups({});
}

void Trained::set_groups(const std::map<std::string, int>& groups) {
  segments_.clear();
  const auto is_frozen = [&](const std::string& name) {
    const auto found = groups.find(prefix_ + name);
    return found != groups.end() && found->second < 0;
  };
  for (ParamId id : parameters_.layout.frozen_blocks(is_frozen)) gradients_.freeze(id);
  // On a device a list of rows costs more than it saves.
  const bool by_row = !queued_ && parameters_.trains_table();
  const at::Tensor table = by_row ? parameters_.master(parameters_.token_table) : at::Tensor();
  for (const TensorInfo& tensor : parameters_.layout.tensors(true)) {
    const auto found = groups.find(prefix_ + tensor.name);
    const int group = found != groups.end() ? found->second : tensor.group == Group::kDecay ? 0 : 1;
    const Layout::Span span = parameters_.layout.span(tensor.name);
    const bool is_table = table.defined() && span.offset == table.storage_offset();
    segments_.push_back({span.offset, span.offset + span.count, group, is_table});
  }
  std::sort(segments_.begin(), segments_.end(), [](const Segment& a, const Segment& b) { return a.begin < b.begin; });
  // Neighbours of one group form one range, except the token table. Between them there is only padding.
  std::vector<Segment> merged;
  for (const Segment& segment : segments_) {
    if (!merged.empty() && merged.back().group == segment.group && !merged.back().table && !segment.table) {
      merged.back().end = segment.end;
    } else {
      merged.push_back(segment);
    }
  }
  segments_ = std::move(merged);
}

std::vector<Trained::Segment> Trained::with_gradients() {
  std::vector<Segment> out;
  for (const Segment& segment : segments_) {
    if (!segment.table || gradients_.all_touched()) {
      out.push_back(segment);
      continue;
    }
    const int64_t width = parameters_.master(parameters_.token_table).size(1);
    for (int32_t row : gradients_.touched()) {
      const int64_t begin = segment.begin + row * width;
      if (!out.empty() && out.back().table && out.back().end == begin) {
        out.back().end += width;
      } else {
        out.push_back({begin, begin + width, segment.group, true});
      }
    }
  }
  return out;
}

double Trained::squared_norm() {
  const ProfileScope scope("gradient norm");
  std::vector<Span> spans;
  for (const Segment& segment : with_gradients()) {
    if (segment.group >= 0) {
      // The table row by row, so that skipping rows of zeros does not change the last digit.
      const int64_t step =
          segment.table ? parameters_.master(parameters_.token_table).size(1) : segment.end - segment.begin;
      for (int64_t begin = segment.begin; begin < segment.end; begin += step) spans.push_back({begin, begin + step});
    } else {
      gradients_.flat().narrow(0, segment.begin, segment.end - segment.begin).zero_();
    }
  }
  return st::squared_norm(gradients_.flat(), spans);
}

void Trained::update(const std::vector<double>& rates, const std::vector<double>& weight_decays, double grad_factor,
                     bool keep_gradients) {
  const ProfileScope scope("update");
  ++updates_;
  const at::Tensor kept = keep_gradients ? gradients_.flat().clone() : at::Tensor();
  const auto range_of = [&](const Segment& segment) {
    const auto group = static_cast<size_t>(segment.group);
    return UpdateRange{segment.begin, segment.end, rates.size() == 1 ? rates[0] : rates[group], weight_decays[group]};
  };
  if (lazy_rows_ != nullptr) {
    // Rows of the table get their postponed updates before this one.
    if (gradients_.all_touched()) {
      lazy_rows_->settle();
    } else {
      lazy_rows_->settle(gradients_.touched());
    }
  }
  std::vector<UpdateRange> ranges;
  for (const Segment& segment : lazy_rows_ != nullptr ? with_gradients() : segments_) {
    if (segment.group >= 0) ranges.push_back(range_of(segment));
  }
  optimizer_->update(ranges, updates_, grad_factor, {parameters_.flat(), gradients_.flat(), parameters_.flat_copy()});
  // Kernels write past autograd, which may have kept views of the values.
  parameters_.flat().unsafeGetTensorImpl()->bump_version();
  for (const Segment& segment : segments_) {
    if (!segment.table || segment.group < 0 || lazy_rows_ == nullptr || gradients_.all_touched()) continue;
    lazy_rows_->updated(gradients_.touched(), range_of(segment), updates_);
  }
  if (kept.defined()) {
    gradients_.flat().copy_(kept);
  } else {
    gradients_.forget();
  }
  parameters_.change();
  used = false;
}

void Trained::drop_gradients() {
  for (const Segment& segment : with_gradients()) {
    gradients_.flat().narrow(0, segment.begin, segment.end - segment.begin).zero_();
  }
  gradients_.forget();
  used = false;
}

int64_t Trained::checksum() const {
  const at::Tensor flat = parameters_.flat();
  const at::Tensor bits = flat.view(flat.element_size() == 8 ? at::kLong : at::kInt);
  int64_t sum = 0;
  for (const Segment& segment : segments_) {
    if (segment.table) continue;
    const auto part = bits.narrow(0, segment.begin, segment.end - segment.begin).sum(at::kLong).item<int64_t>();
    sum = static_cast<int64_t>(static_cast<uint64_t>(sum) * 31 + static_cast<uint64_t>(part));
  }
  return sum;
}

void Trained::loaded(bool gradients) {
  parameters_.refresh();
  if (gradients) gradients_.touch_all();
}

int64_t Trained::updates() const {
  return queued_ ? static_cast<int64_t>(updates_there_.item<float>()) : updates_;
}

void Trained::set_updates(int64_t updates) {
  updates_ = updates;
  if (queued_) updates_there_.fill_(updates);
}

at::Tensor Trained::queue_squared_norm() {
  for (const Segment& segment : segments_) {
    if (segment.group < 0) gradients_.flat().narrow(0, segment.begin, segment.end - segment.begin).zero_();
  }
  // The padding between tensors is 0.
  return reference::squared_norm(gradients_.flat());
}

void Trained::queue_update(const at::Tensor& rates_G, const std::vector<double>& weight_decays,
                           const cuda::ClipState& clip, bool clipped, bool keep_gradients) {
  updates_there_.add_(clip.advanced);
  const at::Tensor kept = keep_gradients ? gradients_.flat().clone() : at::Tensor();
  std::vector<QueuedRange> ranges;
  for (const Segment& segment : segments_) {
    if (segment.group < 0) continue;
    ranges.push_back({segment.begin, segment.end, rates_G[segment.group], weight_decays[segment.group]});
  }
  optimizer_->queue_update(ranges, {updates_there_, clipped ? clip.divisor : at::Tensor(), clip.skipped},
                           {parameters_.flat(), gradients_.flat(), parameters_.flat_copy()});
  if (!kept.defined()) return;
  gradients_.flat().copy_(kept);
  queue_drop(clip);
}

void Trained::queue_drop(const cuda::ClipState& clip) {
  gradients_.flat().masked_fill_(clip.skipped.to(at::kBool), 0);
}

void Trained::queued() {
  gradients_.forget();
  parameters_.change();
  used = false;
}

bool Trained::find(const std::string& name, at::Tensor& flat, std::string& in_layout) const {
  std::vector<std::pair<std::string, at::Tensor>> buffers = optimizer_->state();
  buffers.emplace_back("grad", gradients_.flat());
  buffers.emplace_back("", parameters_.flat());
  for (const auto& [kind, buffer] : buffers) {
    const std::string lead = (kind.empty() ? "" : kind + ".") + prefix_;
    if (name.rfind(lead, 0) != 0 || !parameters_.layout.contains(name.substr(lead.size()))) continue;
    const Layout::Span span = parameters_.layout.span(name.substr(lead.size()));
    if (span.offset + span.count > buffer.numel()) continue;
    parameters_.settle();
    flat = buffer;
    in_layout = name.substr(lead.size());
    return true;
  }
  return false;
}

}  // namespace st
