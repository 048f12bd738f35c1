#include "engine/trained.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_vector_norm.h>

#include <algorithm>

#include "core/profile.h"

namespace st {

Trained::Trained(Parameters& parameters, std::string prefix, const Config& optimizer)
    : parameters_(parameters),
      prefix_(std::move(prefix)),
      gradients_(parameters.layout, parameters.flat()),
      optimizer_(make_optimizer(optimizer, parameters.layout.trained_end(), parameters.flat())) {
  set_groups({});
}

void Trained::set_groups(const std::map<std::string, int>& groups) {
  segments_.clear();
  for (const TensorInfo& tensor : parameters_.layout.tensors(true)) {
    const auto found = groups.find(prefix_ + tensor.name);
    const int group = found != groups.end() ? found->second : tensor.group == Group::kDecay ? 0 : 1;
    const Layout::Span span = parameters_.layout.span(tensor.name);
    segments_.push_back({span.offset, span.offset + span.count, group});
  }
  std::sort(segments_.begin(), segments_.end(), [](const Segment& a, const Segment& b) { return a.begin < b.begin; });
  // Neighbours of one group are one range; what lies between them is padding.
  std::vector<Segment> merged;
  for (const Segment& segment : segments_) {
    if (!merged.empty() && merged.back().group == segment.group) {
      merged.back().end = segment.end;
    } else {
      merged.push_back(segment);
    }
  }
  segments_ = std::move(merged);
}

namespace {

// Of millions of elements: one sum in float32 loses a thousandth, so rows are summed up in double.
double squared_norm_of(const at::Tensor& flat) {
  constexpr int64_t kRow = 16384;
  const int64_t whole = flat.numel() / kRow * kRow;
  double sum = 0;
  if (whole > 0) {
    const at::Tensor rows = at::linalg_vector_norm(flat.narrow(0, 0, whole).view({-1, kRow}), 2, at::IntArrayRef{1});
    sum = rows.to(at::kDouble).pow(2).sum().item<double>();
  }
  if (whole < flat.numel()) {
    const double rest = at::linalg_vector_norm(flat.narrow(0, whole, flat.numel() - whole)).item<double>();
    sum += rest * rest;
  }
  return sum;
}

}  // namespace

double Trained::squared_norm() {
  const ProfileScope scope("gradient norm");
  for (const Segment& segment : segments_) {
    if (segment.group < 0) gradients_.flat().narrow(0, segment.begin, segment.end - segment.begin).zero_();
  }
  return squared_norm_of(gradients_.flat());
}

void Trained::update(const std::vector<double>& rates, const std::vector<double>& weight_decays, double grad_factor,
                     bool keep_gradients) {
  const ProfileScope scope("update");
  ++updates;
  const at::Tensor kept = keep_gradients ? gradients_.flat().clone() : at::Tensor();
  for (const Segment& segment : segments_) {
    if (segment.group < 0) continue;
    const double rate = rates.size() == 1 ? rates[0] : rates[static_cast<size_t>(segment.group)];
    optimizer_->update({segment.begin, segment.end, rate, weight_decays[static_cast<size_t>(segment.group)]}, updates,
                       grad_factor, parameters_.flat(), gradients_.flat());
  }
  if (kept.defined()) gradients_.flat().copy_(kept);
  parameters_.refresh();
  used = false;
}

bool Trained::find(const std::string& name, at::Tensor& flat, std::string& in_layout) const {
  std::vector<std::pair<std::string, at::Tensor>> buffers = optimizer_->state();
  buffers.emplace_back("grad", gradients_.flat());
  buffers.emplace_back("", parameters_.flat());
  for (const auto& [kind, buffer] : buffers) {
    const std::string lead = (kind.empty() ? "" : kind + ".") + prefix_;
    if (name.rfind(lead, 0) != 0 || !parameters_.layout.contains(name.substr(lead.size()))) continue;
    flat = buffer;
    in_layout = name.substr(lead.size());
    return true;
  }
  return false;
}

}  // namespace st
