#pragma once

#include "optim/adamw.h"

namespace st {

// The token table under AdamW: an update leaves the rows without gradient alone and notes itself; a row gets the
// updates that it lacks before it is read. The bits are those of updates of the whole table.
class LazyRows final : public PendingUpdates {
 public:
  // Both must outlive it; while it lives it is what `parameters` settles.
  LazyRows(AdamW& adamw, Parameters& parameters);
  ~LazyRows() override;
  LazyRows(const LazyRows&) = delete;
  LazyRows& operator=(const LazyRows&) = delete;

  void settle() override;
  void settle(const std::vector<int32_t>& rows) override;

  // An update, number `step`, of these rows alone, which are settled. Its range is that of the table.
  void updated(const std::vector<int32_t>& rows, const UpdateRange& range, int64_t step);

 private:
  void replay(const std::vector<int32_t>& rows);

  AdamW& adamw_;
  Parameters& parameters_;
  int64_t width_;
  // Updates since all rows were settled, and how many of them each row has had.
  std::vector<AdamWRates> updates_;
  std::vector<int32_t> had_;
};

}  // namespace st
