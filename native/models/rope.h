#pragma once

#include "core/config.h"
#include "layers/rotary.h"

namespace st {

// What a config.json says of rotary positions: transformers' `rope_parameters`, or the older `rope_theta` and
// `rope_scaling`. Built are rope_type default and linear, and ntk with a fixed factor, as the code beside GTE's files
// has it. Throws ERR_INVALID_MODEL or ERR_NOT_IMPLEMENTED for others. `head_dim`: of which all columns are turned.
RotaryBase rotary_base(const Config& config, double default_theta, int64_t head_dim);

// Turns queries and keys that lie in front of the values.
Rotary rotary_of(const RotaryBase& base, int64_t query_and_key_heads, int64_t head_dim);

}  // namespace st
