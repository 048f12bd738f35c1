#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace st {

// Where a rank computes: its device, its machine, and the card. For check_places().
std::string place_of(at::Device device);
// A place of a known machine and card. `card`: what tells it from all others of the machine; empty for a CPU.
std::string place_of(at::Device device, const std::string& host, const std::string& boot, const std::string& card);

// Throws ERR_DISTRIBUTED unless all ranks compute on CPUs, or each on a card of its own. `places`: by rank.
void check_places(const std::vector<std::string>& places);

}  // namespace st
