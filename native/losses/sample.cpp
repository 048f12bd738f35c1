#include "losses/sample.h"

#include <algorithm>
#include <numeric>

#include "core/philox.h"

namespace st {

namespace {

// Differs from every counter of dropout, whose sites are small numbers.
constexpr uint32_t kSampleSite = 0xFFFFFFFF, kPartSite = 0xFFFFFFFE;

uint64_t bits(uint64_t draw, uint64_t index, uint32_t site) {
  const Philox numbers(draw, static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0, site);
  return uint64_t{numbers.x[0]} << 32 | numbers.x[1];
}

}  // namespace

std::vector<int64_t> sample(int64_t size, int64_t count, uint64_t draw) {
  std::vector<int64_t> all(static_cast<size_t>(size));
  std::iota(all.begin(), all.end(), 0);
  if (count < 1 || count >= size) return all;
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t left = static_cast<uint64_t>(size - i);
    std::swap(all[i], all[i + static_cast<int64_t>(bits(draw, static_cast<uint64_t>(i), kSampleSite) % left)]);
  }
  all.resize(static_cast<size_t>(count));
  std::sort(all.begin(), all.end());
  return all;
}

uint64_t part_of_draw(uint64_t draw, uint64_t index) {
  return bits(draw, index, kPartSite);
}

}  // namespace st
