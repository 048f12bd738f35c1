#pragma once

#include "optim/adamw.h"

namespace st {

// The token table under AdamW. An update skips rows without a gradient and is recorded. A row gets its missing
// updates before it is read. The bits are those of updates of the whole table.
class LazyRows final : public PendingUpdates {
 public:
  // Both must outlive it. While it lives, `parameters` uses it to settle rows.
  LazyRows(AdamW& adamw, Parameters& parameters);
  ~LazyRows() override;
  LazyRows(const LazyRows&) = delete;
  LazyRows& operator=(const LazyRows&) = delete;

  void settle() override;
  void settle(const std::vector<int32_t>& rows) override;

  // Update number `step` of only these rows, which have been settled. Its range is the table's.
  void updated(const std::vector<int32_t>& rows, const UpdateRange& range, int64_t step);

 private:
  void replay(const std::vector<int32_t>& rows);

  AdamW& adamw_;
  Parameters& parameters_;
  int64_t width_;
  // Updates since all rows were settled, and the number of them that each row has had.
  std::vector<AdamWRates> updates_;
  std::vector<int32_t> had_;
};

}  // namespace st
