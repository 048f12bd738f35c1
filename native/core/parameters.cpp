#include "core/parameters.h"

#include <algorithm>

#include "core/device.h"
#include "core/memory.h"
#include "core/profile.h"

namespace st {

void Parameters::allocate(at::Device device, at::ScalarType compute) {
  layout.finish();
  master_ = empty_in_huge_pages({layout.size()}, master_dtype(compute), device).zero_();
  masters_ = layout.views(master_);
  set_compute(compute);
}

void Parameters::set_compute(at::ScalarType compute) {
  settle();
  compute_ = master_;
  if (compute != master_.scalar_type()) {
    compute_ = empty_in_huge_pages({layout.size()}, compute, master_.device()).copy_(master_);
  }
  values_ = layout.views(compute_);
  change();
}

void Parameters::dispose() {
  pending_ = nullptr;
  masters_.clear();
  values_.clear();
  master_ = compute_ = at::Tensor();
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

Gradients::Gradients(const Layout& layout, const at::Tensor& like)
    : flat_(empty_in_huge_pages({layout.trained_end()}, like.scalar_type(), like.device()).zero_()),
      views_(layout.views(flat_)) {}

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
