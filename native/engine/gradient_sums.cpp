#include "engine/gradient_sums.h"

#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "core/profile.h"
#include "core/upload.h"

namespace st {

namespace {

// Ranges of layers that are sent by themselves: few, because each waits for the latency of the network.
constexpr int64_t kRanges = 4;
// Elements below which a range is sent together with others.
constexpr int64_t kSmall = 1 << 14;
// Of the token table so many times fewer rows have to be read that they are sent instead of the whole on a device,
// where picking and returning them takes two passes.
constexpr int64_t kMostOfTable = 2;
// Elements between two tensors that are padding (Layout::finish).
constexpr int64_t kPadding = 16;

// The second number among the parts of a name, after that of the module: "0.encoder.layer.3.output.dense.weight". -1:
// the tensor is part of no layer.
int64_t layer_of(const std::string& name) {
  bool is_second = false;
  for (size_t begin = 0, end = 0; begin < name.size(); begin = end + 1) {
    end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (part.empty() || part.size() > 9 || !std::all_of(part.begin(), part.end(), ::isdigit)) continue;
    if (is_second) return std::stoll(part);
    is_second = true;
  }
  return -1;
}

}  // namespace

GradientSums::GradientSums(std::shared_ptr<Collective> ranks, Trained& set)
    : ranks_(std::move(ranks)), set_(set), ranges_(plan(set)) {}

std::vector<GradientSums::Range> GradientSums::plan(Trained& set) {
  const Layout& layout = set.parameters().layout;
  std::map<int64_t, std::vector<Span>, std::greater<>> layers;
  int64_t total = 0;
  for (const TensorInfo& tensor : layout.tensors(true)) {
    const int64_t layer = layer_of(tensor.name);
    const Layout::Span at = layout.span(tensor.name);
    const bool is_sent = std::any_of(set.segments().begin(), set.segments().end(), [&](const Trained::Segment& in) {
      return in.begin <= at.offset && at.offset < in.end && in.group >= 0 && !in.table;
    });
    if (layer < 0 || !is_sent) continue;
    layers[layer].push_back({at.offset, at.offset + at.count});
    total += at.count;
  }
  std::vector<Range> out;
  std::vector<Span> open;
  int64_t elements = 0;
  for (const auto& [layer, spans] : layers) {
    for (const Span& span : spans) elements += span.end - span.begin;
    open.insert(open.end(), spans.begin(), spans.end());
    if (elements * kRanges < total && layer != layers.rbegin()->first) continue;
    std::sort(open.begin(), open.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
    for (size_t first = 0, last = 0; first < open.size(); first = last) {
      while (++last < open.size() && open[last].begin - open[last - 1].end < kPadding) {
      }
      const Range range{layer, open[first].begin, open[last - 1].end};
      if (range.end - range.begin >= kSmall) out.push_back(range);
    }
    open.clear();
    elements = 0;
  }
  return out;
}

at::Tensor GradientSums::part(int64_t begin, int64_t end) const {
  return set_.gradients().flat().narrow(0, begin, end - begin);
}

void GradientSums::layer_done(int64_t layer) {
  while (sent_.size() < ranges_.size() && ranges_[sent_.size()].layer >= layer) {
    const ProfileScope scope("communication, begun");
    const Range& range = ranges_[sent_.size()];
    sent_.push_back({range, Clock::now(), ranks_->begin_all_reduce(part(range.begin, range.end))});
  }
}

void GradientSums::share_touched() {
  Gradients& gradients = set_.gradients();
  const std::vector<int32_t>& touched = gradients.touched();
  constexpr int64_t kAll = -1;
  at::Tensor count = at::empty({1}, at::kLong);
  count.fill_(gradients.all_touched() ? kAll : static_cast<int64_t>(touched.size()));
  const at::Tensor counts = ranks_->all_gather(count);
  if (counts.min().item<int64_t>() == kAll) {
    gradients.touch_all();
    return;
  }
  const auto most = counts.max().item<int64_t>();
  if (most == 0) return;
  at::Tensor own = at::zeros({most}, at::kInt);
  std::copy(touched.begin(), touched.end(), own.mutable_data_ptr<int32_t>());
  const at::Tensor all = ranks_->all_gather(own);
  const auto* rows = all.const_data_ptr<int32_t>();
  for (int64_t rank = 0; rank < ranks_->size(); ++rank, rows += most) {
    gradients.touch(std::vector<int32_t>(rows, rows + counts[rank].item<int64_t>()));
  }
}

std::optional<Span> GradientSums::table() const {
  const Parameters& parameters = set_.parameters();
  if (!parameters.trains_table() || !set_.gradients()[parameters.token_table].defined()) return std::nullopt;
  const at::Tensor& at = parameters.master(parameters.token_table);
  return Span{at.storage_offset(), at.storage_offset() + at.numel()};
}

at::Tensor GradientSums::rows_of_table(const Span& table) {
  Gradients& gradients = set_.gradients();
  const int64_t width = set_.parameters().master(set_.parameters().token_table).size(1);
  const std::vector<int32_t>& touched = gradients.touched();
  const int64_t rows = (table.end - table.begin) / width;
  if (gradients.all_touched() || static_cast<int64_t>(touched.size()) * kMostOfTable > rows) return {};
  return upload<int64_t>(touched, gradients.flat().device());
}

std::vector<Trained::Segment> GradientSums::rest(const std::optional<Span>& table) const {
  std::vector<Span> sent;
  for (const Sent& each : sent_) sent.push_back({each.range.begin, each.range.end});
  if (table) sent.push_back(*table);
  std::sort(sent.begin(), sent.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  std::vector<Trained::Segment> out;
  for (Trained::Segment segment : set_.with_gradients()) {
    if (segment.group < 0) continue;
    for (const Span& range : sent) {
      if (range.end <= segment.begin || segment.end <= range.begin) continue;
      if (segment.begin < range.begin) out.push_back({segment.begin, range.begin, segment.group, segment.table});
      segment.begin = std::min(range.end, segment.end);
    }
    if (segment.begin < segment.end) out.push_back(segment);
  }
  return out;
}

void GradientSums::pack(const std::vector<Trained::Segment>& small, bool back) {
  if (set_.is_queued()) {
    std::vector<at::Tensor> places, packed;
    int64_t next = 0;
    for (const Trained::Segment& segment : small) {
      const int64_t count = segment.end - segment.begin;
      places.push_back(part(segment.begin, segment.end));
      packed.push_back(packed_.narrow(0, next, count));
      next += count;
    }
    at::_foreach_copy_(back ? places : packed, back ? packed : places);
    return;
  }
  const auto size = static_cast<int64_t>(packed_.element_size());
  auto* flat = static_cast<char*>(set_.gradients().flat().mutable_data_ptr());
  auto* next = static_cast<char*>(packed_.mutable_data_ptr());
  for (const Trained::Segment& segment : small) {
    char* here = flat + segment.begin * size;
    const auto bytes = static_cast<size_t>((segment.end - segment.begin) * size);
    std::memcpy(back ? here : next, back ? next : here, bytes);
    next += bytes;
  }
}

void GradientSums::finish() {
  const Clock::time_point finished = Clock::now();
  std::optional<Span> table = this->table();
  if (table) share_touched();
  // What is not queued has the rows among its segments.
  if (!set_.is_queued()) table.reset();
  const at::Tensor rows_K = table ? rows_of_table(*table) : at::Tensor();
  if (!rows_K.defined()) table.reset();
  std::vector<Trained::Segment> small;
  std::vector<std::unique_ptr<Collective::Sum>> sums;
  int64_t elements = 0;
  at::Tensor table_VD, rows_KD;
  if (rows_K.defined() && rows_K.numel() > 0) {
    const ProfileScope scope("rows of the token table");
    table_VD = part(table->begin, table->end).view_as(set_.gradients()[set_.parameters().token_table]);
    rows_KD = at::index_select(table_VD, 0, rows_K);
    sums.push_back(ranks_->begin_all_reduce(rows_KD));
  }
  for (const Trained::Segment& segment : rest(table)) {
    const int64_t count = segment.end - segment.begin;
    const bool by_itself = segment.table ? set_.gradients().all_touched() : count >= kSmall;
    if (by_itself) {
      sums.push_back(ranks_->begin_all_reduce(part(segment.begin, segment.end)));
    } else {
      small.push_back(segment);
      elements += count;
    }
  }
  if (elements > 0) {
    if (!packed_.defined() || packed_.numel() < elements) {
      packed_ = at::empty({elements + elements / 4}, set_.gradients().flat().options());
    }
    pack(small, false);
    sums.push_back(ranks_->begin_all_reduce(packed_.narrow(0, 0, elements)));
  }
  Clock::time_point counted = Clock::time_point::min();  // what passed until then
  for (const Sent& each : sent_) {
    const std::optional<Clock::time_point> done = each.sum->wait();
    if (!done) continue;
    const Clock::time_point since = std::max(each.since, counted), until = std::min(*done, finished);
    if (until > since) hidden_ms_ += std::chrono::duration<double, std::milli>(until - since).count();
    counted = std::max(counted, until);
  }
  for (const auto& sum : sums) sum->wait();
  sent_.clear();
  if (elements > 0) pack(small, true);
  if (rows_KD.defined()) table_VD.index_copy_(0, rows_K, rows_KD);
}

}  // namespace st
