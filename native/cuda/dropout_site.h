#pragma once

#include "core/philox.h"
#include "cuda/device_call.h"
#include "cuda/dropout.h"

namespace st::cuda {

// `key_1`: the key on the device, or undefined.
inline DropoutSite site_of(const Dropout& dropout, const at::Tensor& key_1) {
  const MaskRows& rows = dropout.rows;
  return {dropout.key,       device_data<uint64_t>(key_1),
          dropout.first_row, rows.before,
          rows.column,       rows.skipped,
          rows.others,       dropout.site,
          dropout.threshold, static_cast<float>(dropout.scale)};
}

}  // namespace st::cuda
