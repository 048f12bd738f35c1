#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/layout.h"
#include "core/workspace.h"

namespace st {

// Updates that an optimiser has postponed, for rows of the token table that no batch has read since.
class PendingUpdates {
 public:
  virtual ~PendingUpdates() = default;
  virtual void settle() = 0;
  virtual void settle(const std::vector<int32_t>& rows) = 0;
};

// The values of a layout's parameters: in the master dtype, and a copy in the compute dtype where that differs.
class Parameters {
 public:
  Layout layout;
  // The parameter [vocabulary, width] of which a batch only reads the rows of its tokens; -1 = none.
  ParamId token_table = -1;

  void allocate(at::Device device, at::ScalarType compute);
  // Changes the compute dtype. The masters stay.
  void set_compute(at::ScalarType compute);
  void dispose();

  const at::Tensor& master(ParamId id) const { return masters_[id]; }
  const at::Tensor& value(ParamId id) const { return values_[id]; }  // compute dtype
  at::Tensor& flat() { return master_; }
  const at::Tensor& flat() const { return master_; }
  // All values in the compute dtype; undefined where it is the master dtype.
  at::Tensor flat_copy() const { return compute_.is_same(master_) ? at::Tensor() : compute_; }
  // Renews the copy. Call it after the masters have changed.
  void refresh();
  // Call it after the masters and their copy have changed. Postponed updates are dropped.
  void change();
  // The result of make(workspace) for a parameter's values, in one of several `ways`. Made once for all passes, until
  // the values change. Its memory is the workspace's.
  template <typename Make>
  const at::Tensor& derived(ParamId id, int way, const Make& make) const {
    std::optional<at::Tensor>& kept = derived_tensors_[{id, way}];
    if (!kept) kept = make(derived_);
    return *kept;
  }
  int64_t derived_bytes() const { return derived_.bytes(); }

  // Values of the token table may lack updates. Readers first settle all rows, or the rows that they read. Null: no
  // update is postponed any more.
  void put_off(PendingUpdates* pending) { pending_ = pending; }
  void settle() const {
    if (pending_ != nullptr) pending_->settle();
  }
  void settle(const std::vector<int32_t>& rows) const {
    if (pending_ != nullptr) pending_->settle(rows);
  }

  void load(const TensorRange& range) {
    settle();
    layout.load(master_, range);
  }
  void dump(const TensorRange& range) const {
    settle();
    layout.dump(master_, range);
  }

 private:
  at::Tensor master_, compute_;
  std::vector<at::Tensor> masters_, values_;
  mutable Workspace derived_{at::kCPU};
  mutable std::map<std::pair<ParamId, int>, std::optional<at::Tensor>> derived_tensors_;
  PendingUpdates* pending_ = nullptr;
};

// Gradients of the trained parameters of a layout, in the master dtype.
class Gradients {
 public:
  Gradients(const Layout& layout, const at::Tensor& like);
  // Undefined for a frozen parameter, whose gradient is not computed.
  const at::Tensor& operator[](ParamId id) const { return views_[id]; }
  void freeze(ParamId id) { views_[id] = at::Tensor(); }
  at::Tensor& flat() { return flat_; }
  const at::Tensor& flat() const { return flat_; }

  // The rows of the token table whose gradient may differ from 0. Call it when adding to such rows.
  void touch(const std::vector<int32_t>& rows);
  void touch_all() { all_touched_ = true; }
  bool all_touched() const { return all_touched_; }
  // Each row once, in rising order.
  const std::vector<int32_t>& touched();
  // Call it after all gradients were set to 0.
  void forget();

 private:
  at::Tensor flat_;
  std::vector<at::Tensor> views_;
  std::vector<int32_t> touched_;
  bool all_touched_ = false;
};

}  // namespace st
