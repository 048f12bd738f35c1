#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/layout.h"
#include "core/low_rank.h"
#include "core/workspace.h"

namespace st {

// Updates that an optimiser has postponed, for rows of the token table that no batch has read since.
class PendingUpdates {
 public:
  virtual ~PendingUpdates() = default;
  virtual void settle() = 0;
  virtual void settle(const std::vector<int32_t>& rows) = 0;
};

// The values of a layout's parameters: in the master dtype, and a copy in the compute dtype where that differs. Those
// that are halved have only the copy.
class Parameters {
 public:
  Layout layout;
  // What an adapter adds to matrices, by their id.
  std::map<ParamId, LowRank> low_ranks;
  // The parameter [vocabulary, width] of which a batch only reads the rows of its tokens; -1 = none.
  ParamId token_table = -1;
  bool trains_table() const { return token_table >= 0 && is_trained(layout.group(token_table)); }

  bool freezes(ParamId id) const { return id < layout.count() && !is_trained(layout.group(id)); }

  void allocate(at::Device device, at::ScalarType compute);
  // Changes the compute dtype. The masters stay.
  void set_compute(at::ScalarType compute);
  // Takes another layout. Tensors of the same name keep their values, new ones are 0. While the layout changes,
  // `readers` is locked.
  void rearrange(Layout next, std::mutex& readers);
  void dispose();

  at::ScalarType master_type() const { return master_.scalar_type(); }
  at::ScalarType compute_type() const { return compute_.scalar_type(); }
  // Undefined for a halved parameter.
  const at::Tensor& master(ParamId id) const { return masters_[id]; }
  const at::Tensor& value(ParamId id) const { return values_[id]; }  // compute dtype
  // In the master dtype: a copy of a halved parameter, else the master.
  at::Tensor in_master(ParamId id) const { return masters_[id].defined() ? masters_[id] : value(id).to(master_type()); }
  at::Tensor in_master(const TensorInfo& info) const;
  // A copy of some rows of a matrix, in the master dtype.
  at::Tensor rows_in_master(ParamId id, const std::vector<int32_t>& rows) const;
  // In whichever dtype it is stored.
  at::Tensor stored(const TensorInfo& info) const;
  // Null where nothing is added.
  const LowRank* low_rank(ParamId id) const {
    const auto found = low_ranks.find(id);
    return found != low_ranks.end() ? &found->second : nullptr;
  }
  // The masters.
  at::Tensor& flat() { return master_; }
  const at::Tensor& flat() const { return master_; }
  // Their copies in the compute dtype; undefined where it is the master dtype.
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
    const Flat in = flat_of(range.name);
    layout.load(in.tensor, range, in.first);
  }
  void dump(const TensorRange& range) const {
    settle();
    const Flat in = flat_of(range.name);
    layout.dump(in.tensor, range, in.first);
  }
  // Takes the values of tensors of the same names.
  void copy_values(const Parameters& from);

 private:
  struct Flat {
    const at::Tensor& tensor;
    int64_t first;  // place of its first element
  };
  Flat flat_of(const std::string& name) const;
  void make_views();

  at::Tensor master_, compute_;
  at::Tensor halved_;  // undefined where nothing is halved
  std::vector<at::Tensor> masters_, values_;
  mutable Workspace derived_{at::kCPU};
  mutable std::map<std::pair<ParamId, int>, std::optional<at::Tensor>> derived_tensors_;
  PendingUpdates* pending_ = nullptr;
};

// Gradients of the trained parameters of a layout, in the master dtype.
class Gradients {
 public:
  Gradients(const Layout& layout, const at::Tensor& like);
  explicit Gradients(const Parameters& parameters)
      : Gradients(parameters.layout, parameters.flat(), &parameters.low_ranks) {}
  // Undefined for a frozen parameter, whose gradient is not computed.
  const at::Tensor& operator[](ParamId id) const { return views_[id]; }
  // Whether a matrix, or what an adapter adds to it, is trained.
  bool reaches(ParamId matrix) const;
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
  Gradients(const Layout& layout, const at::Tensor& like, const std::map<ParamId, LowRank>* low_ranks);

  at::Tensor flat_;
  std::vector<at::Tensor> views_;
  const std::map<ParamId, LowRank>* low_ranks_;  // may be null
  std::vector<int32_t> touched_;
  bool all_touched_ = false;
};

}  // namespace st
