#include "core/parameters.h"

#include <ATen/ops/index_select.h>

#include <algorithm>

#include "core/device.h"
#include "core/memory.h"
#include "core/profile.h"
#include "core/upload.h"

namespace st {

void Parameters::allocate(at::Device device, at::ScalarType compute) {
  layout.finish();
  master_ = zeros_in_huge_pages({layout.mastered_end()}, master_dtype(compute), device);
  const int64_t halved = layout.size() - layout.mastered_end();
  halved_ = halved > 0 ? zeros_in_huge_pages({halved}, compute, device) : at::Tensor();
  set_compute(compute);
}

void Parameters::set_compute(at::ScalarType compute) {
  settle();
  compute_ = master_;
  if (compute != master_.scalar_type()) {
    compute_ = empty_in_huge_pages({layout.mastered_end()}, compute, master_.device()).copy_(master_);
  }
  if (halved_.defined()) halved_ = halved_.to(compute);
  make_views();
  change();
}

void Parameters::make_views() {
  masters_ = layout.views(master_);
  values_ = layout.views(compute_);
  if (!halved_.defined()) return;
  const std::vector<at::Tensor> halved = layout.views(halved_, layout.mastered_end());
  for (size_t id = 0; id < halved.size(); ++id) {
    if (halved[id].defined()) values_[id] = halved[id];
  }
}

void Parameters::rearrange(Layout next, std::mutex& readers) {
  settle();
  change();
  const at::ScalarType compute = compute_type();
  // The copy is made again from the masters, and would take memory beside old and new ones.
  if (!halved_.defined()) set_compute(master_type());
  Parameters after;
  try {
    after.layout = std::move(next);
    after.allocate(master_.device(), compute);
    for (const TensorInfo& info : after.layout.tensors()) {
      if (layout.contains(info.name)) after.stored(info).copy_(stored(info));
    }
    after.refresh();
  } catch (...) {
    set_compute(compute);
    throw;
  }
  const std::lock_guard<std::mutex> lock(readers);
  after.token_table = token_table;
  *this = std::move(after);
}

Parameters::Flat Parameters::flat_of(const std::string& name) const {
  if (layout.span(name).offset < layout.mastered_end()) return {master_, 0};
  return {halved_, layout.mastered_end()};
}

at::Tensor Parameters::stored(const TensorInfo& info) const {
  const Flat in = flat_of(info.name);
  const Layout::Span at = layout.span(info.name);
  return in.tensor.narrow(0, at.offset - in.first, at.count).view(info.shape);
}

at::Tensor Parameters::in_master(const TensorInfo& info) const {
  return stored(info).to(master_type());
}

at::Tensor Parameters::rows_in_master(ParamId id, const std::vector<int32_t>& rows) const {
  const at::Tensor& matrix = masters_[id].defined() ? masters_[id] : values_[id];
  const std::vector<int64_t> places(rows.begin(), rows.end());
  return at::index_select(matrix, 0, upload<int64_t>(places, matrix.device())).to(master_type());
}

void Parameters::copy_values(const Parameters& from) {
  for (const TensorInfo& info : layout.tensors()) stored(info).copy_(from.stored(info));
  refresh();
}

void Parameters::dispose() {
  pending_ = nullptr;
  masters_.clear();
  values_.clear();
  master_ = compute_ = halved_ = at::Tensor();
  derived_tensors_.clear();
  derived_ = Workspace(at::kCPU);
}

void Parameters::change() {
  derived_tensors_.clear();
  derived_ = Workspace(master_.device());
}

void Parameters::refresh() {
  const ProfileScope scope("copy of the weights");
  change();
  if (!compute_.is_same(master_)) compute_.copy_(master_);
}

Gradients::Gradients(const Layout& layout, const at::Tensor& like) : Gradients(layout, like, nullptr) {}

Gradients::Gradients(const Layout& layout, const at::Tensor& like, const std::map<ParamId, LowRank>* low_ranks)
    : flat_(zeros_in_huge_pages({layout.trained_end()}, like.scalar_type(), like.device())),
      views_(layout.views(flat_)),
      low_ranks_(low_ranks) {}

bool Gradients::reaches(ParamId matrix) const {
  if (views_[matrix].defined()) return true;
  if (low_ranks_ == nullptr) return false;
  const auto found = low_ranks_->find(matrix);
  return found != low_ranks_->end() && views_[found->second.a].defined();
}

void Gradients::touch(const std::vector<int32_t>& rows) {
  touched_.insert(touched_.end(), rows.begin(), rows.end());
}

const std::vector<int32_t>& Gradients::touched() {
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  return touched_;
}

void Gradients::forget() {
  touched_.clear();
  all_touched_ = false;
}

}  // namespace st
