#include "ops/input.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <cstring>

namespace st {

namespace {

at::Tensor upload(const std::vector<int32_t>& values, at::Device device) {
  at::Tensor host = at::empty({static_cast<int64_t>(values.size())}, at::kInt);
  std::memcpy(host.data_ptr<int32_t>(), values.data(), values.size() * sizeof(int32_t));
  return host.to(device);
}

}  // namespace

Input::Input(const PackedBatch& packed, at::Device device) : batch(packed) {
  std::vector<int32_t> rows(packed.tokens()), positions(packed.tokens());
  for (int64_t row = 0; row < packed.rows(); ++row) {
    for (int32_t t = packed.offsets[row]; t < packed.offsets[row + 1]; ++t) {
      rows[t] = static_cast<int32_t>(row);
      positions[t] = t - packed.offsets[row];
    }
  }
  ids_T = upload(packed.ids, device);
  if (!packed.token_types.empty()) types_T = upload(packed.token_types, device);
  rows_T = upload(rows, device);
  positions_T = upload(positions, device);
}

}  // namespace st
