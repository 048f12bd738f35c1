#include "ops/input.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace st {

void fill_places(const Rows& batch, int32_t* rows_T, int32_t* positions_T) {
  for (int64_t row = 0; row < batch.rows(); ++row) {
    for (int32_t t = batch.offsets[row]; t < batch.offsets[row + 1]; ++t) {
      rows_T[t] = static_cast<int32_t>(row);
      positions_T[t] = t - batch.offsets[row];
    }
  }
}

Input::Input(const Rows& packed, at::Device device) : batch(packed) {
  // One buffer and one transfer; to a GPU from pinned memory, which LibTorch keeps until it has arrived.
  const int64_t tokens = packed.tokens(), typed = static_cast<int64_t>(packed.token_types.size());
  const int64_t ends = device.is_cpu() ? 0 : packed.rows() + 1;
  const at::Tensor host =
      at::empty({3 * tokens + typed + ends}, at::TensorOptions().dtype(at::kInt).pinned_memory(device.is_cuda()));
  int32_t* const ids = host.data_ptr<int32_t>();
  int32_t* const rows = std::copy(packed.ids.begin(), packed.ids.end(), ids);
  int32_t* const positions = rows + tokens;
  fill_places(packed, rows, positions);
  int32_t* const types_end = std::copy(packed.token_types.begin(), packed.token_types.end(), positions + tokens);
  if (ends > 0) std::copy(packed.offsets.begin(), packed.offsets.end(), types_end);

  const at::Tensor all = device.is_cpu() ? host : host.to(device, at::kInt, /*non_blocking=*/true);
  ids_T = all.narrow(0, 0, tokens);
  rows_T = all.narrow(0, tokens, tokens);
  positions_T = all.narrow(0, 2 * tokens, tokens);
  if (typed > 0) types_T = all.narrow(0, 3 * tokens, typed);
  if (ends > 0) offsets_R1 = all.narrow(0, 3 * tokens + typed, ends);
}

}  // namespace st
