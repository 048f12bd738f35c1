#pragma once

#include <cstdint>
#include <vector>

namespace st {

// `count` different numbers of 0 ... size - 1 in rising order. Each set is equally likely. The result depends only on
// `draw`. All numbers where `count` is below 1 or not below `size`.
std::vector<int64_t> sample(int64_t size, int64_t count, uint64_t draw);

// A number for the `index`-th of several samples of one batch.
uint64_t part_of_draw(uint64_t draw, uint64_t index);

}  // namespace st
