#pragma once

#include <cstdint>
#include <vector>

#include "core/config.h"

namespace st {

// `layer_types` of config.json: whether each layer is a sliding_attention, and not a full_attention. Empty if there is
// no such member.
std::vector<bool> sliding_layers(const Config& config, int64_t layers);

}  // namespace st
