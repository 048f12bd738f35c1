#pragma once

#include <utility>

#include "core/layout.h"
#include "core/workspace.h"

namespace st {

// The values of a layout's parameters: in the master dtype, and a copy in the compute dtype where that differs.
class Parameters {
 public:
  Layout layout;

  void allocate(at::Device device, at::ScalarType compute);
  // Changes the compute dtype; the masters stay.
  void set_compute(at::ScalarType compute);
  void dispose();

  const at::Tensor& master(ParamId id) const { return masters_[id]; }
  const at::Tensor& value(ParamId id) const { return values_[id]; }  // compute dtype
  at::Tensor& flat() { return master_; }
  const at::Tensor& flat() const { return master_; }
  // After the masters have changed.
  void refresh();
  // Rises with every change: what was made from values of an older version is out of date.
  int64_t version() const { return version_; }
  // For what is made from the values of this version; empty again after a change.
  Workspace& derived() const { return derived_; }

  void load(const TensorRange& range) { layout.load(master_, range); }
  void dump(const TensorRange& range) const { layout.dump(master_, range); }

 private:
  at::Tensor master_, compute_;
  std::vector<at::Tensor> masters_, values_;
  int64_t version_ = 0;
  mutable Workspace derived_{at::kCPU};

  void change();
};

// Gradients of the trained parameters of a layout, in the master dtype.
class Gradients {
 public:
  Gradients(const Layout& layout, const at::Tensor& like);
  const at::Tensor& operator[](ParamId id) const { return views_[id]; }
  at::Tensor& flat() { return flat_; }
  const at::Tensor& flat() const { return flat_; }

 private:
  at::Tensor flat_;
  std::vector<at::Tensor> views_;
};

}  // namespace st
