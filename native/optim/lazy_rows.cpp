#include "optim/lazy_rows.h"

#include <algorithm>
#include <numeric>

#include "core/profile.h"

namespace st {

namespace {
// Bounds the list of updates. Settling is rare enough to cost nothing, and comes long before moments are 0.
constexpr size_t kMostUpdates = 1024;
}  // namespace

LazyRows::LazyRows(AdamW& adamw, Parameters& parameters)
    : adamw_(adamw),
      parameters_(parameters),
      width_(parameters.master(parameters.token_table).size(1)),
      had_(static_cast<size_t>(parameters.master(parameters.token_table).size(0)), 0) {
  parameters.put_off(this);
}

LazyRows::~LazyRows() {
  // If the parameters are gone, nobody reads them.
  if (!parameters_.flat().defined()) return;
  settle();
  parameters_.put_off(nullptr);
}

void LazyRows::settle() {
  if (updates_.empty()) return;
  std::vector<int32_t> rows(had_.size());
  std::iota(rows.begin(), rows.end(), 0);
  replay(rows);
  updates_.clear();
  std::fill(had_.begin(), had_.end(), 0);
}

void LazyRows::settle(const std::vector<int32_t>& rows) {
  if (!updates_.empty()) replay(rows);
}

void LazyRows::replay(const std::vector<int32_t>& rows) {
  const ProfileScope scope("late updates");
  const int64_t table = parameters_.master(parameters_.token_table).storage_offset();
  std::vector<AdamW::Late> late;
  for (int32_t row : rows) {
    const auto had = static_cast<size_t>(had_[row]);
    if (had == updates_.size()) continue;
    late.push_back({table + row * width_, had});
    had_[row] = static_cast<int32_t>(updates_.size());
  }
  if (!late.empty()) adamw_.replay(updates_, late, width_, {parameters_.flat(), {}, parameters_.flat_copy()});
}

void LazyRows::updated(const std::vector<int32_t>& rows, const UpdateRange& range, int64_t step) {
  updates_.push_back(adamw_.rates(range, step));
  for (int32_t row : rows) had_[row] = static_cast<int32_t>(updates_.size());
  if (updates_.size() >= kMostUpdates) settle();
}

}  // namespace st
