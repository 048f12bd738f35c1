#pragma once

#include "cuda/host_device.h"

namespace st::cuda {

// A place of a network with dropout: the members of st::Dropout (core/philox.h) that a kernel needs.
struct DropoutSite {
  uint64_t key;
  const uint64_t* device_key;  // replaces `key`, unless it is null: a recorded step reads its batch's key
  uint32_t first_row, before, column, skipped, others;  // Dropout::first_row, and its MaskRows
  uint32_t site, threshold;
  float scale;
};

// The masks of st::Dropout::multiplier for one token. A draw serves 8 columns, of which a warp's lane uses 4 in a
// row, so the last draw is kept.
class TokenDropout {
 public:
  ST_HD TokenDropout(const DropoutSite& site, uint32_t row, uint32_t position)
      : site_(site), number_(site.before + row), position_(position), counter_(~0u) {
    number_ += site_.first_row + number_ / site_.column * site_.others + site_.skipped;
    if (site_.device_key != nullptr) site_.key = *site_.device_key;
  }

  // 0 or the scale.
  ST_HD float multiplier(uint32_t column) {
    if (site_.threshold == 0) return 1;
    const uint32_t counter = column / 128 * 16 + column % 16, value = column % 128 / 16;
    if (counter != counter_) draw(counter);
    // Not an array, because a variable index would move it out of the registers.
    const uint32_t word = value < 2 ? x0_ : value < 4 ? x1_ : value < 6 ? x2_ : x3_;
    const uint32_t bits = word >> (value % 2 * 16) & 0xFFFF;
    return bits < site_.threshold ? 0 : site_.scale;
  }

 private:
  // Philox4x32-10 (Salmon et al. 2011), as st::Philox.
  ST_HD void draw(uint32_t counter) {
    counter_ = counter;
    uint32_t x0 = counter, x1 = position_, x2 = number_, x3 = site_.site;
    uint32_t k0 = static_cast<uint32_t>(site_.key), k1 = static_cast<uint32_t>(site_.key >> 32);
    for (int round = 0; round < 10; ++round) {
      const uint64_t p0 = uint64_t{0xD2511F53} * x0, p1 = uint64_t{0xCD9E8D57} * x2;
      const uint32_t y0 = static_cast<uint32_t>(p1 >> 32) ^ x1 ^ k0, y2 = static_cast<uint32_t>(p0 >> 32) ^ x3 ^ k1;
      x1 = static_cast<uint32_t>(p1);
      x3 = static_cast<uint32_t>(p0);
      x0 = y0;
      x2 = y2;
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    x0_ = x0;
    x1_ = x1;
    x2_ = x2;
    x3_ = x3;
  }

  DropoutSite site_;
  uint32_t number_, position_, counter_, x0_ = 0, x1_ = 0, x2_ = 0, x3_ = 0;
};

// The factors of dropout for each element, for operations that have no kernel of their own.
struct DropoutFactors {
  int64_t rows, width;  // `rows`: of the output
  DropoutSite dropout;
  const int32_t *rows_T, *positions_T;  // null: the row's own index, and position 0
  float* out_TD;
};

template <typename Group>
ST_HD void dropout_factors_row(const DropoutFactors& k, const Group& group, int64_t t) {
  const auto row = k.rows_T != nullptr ? static_cast<uint32_t>(k.rows_T[t]) : static_cast<uint32_t>(t);
  TokenDropout dropout(k.dropout, row, k.positions_T != nullptr ? static_cast<uint32_t>(k.positions_T[t]) : 0);
  for (int64_t c = group.lane(); c < k.width; c += group.lanes()) {
    k.out_TD[t * k.width + c] = dropout.multiplier(static_cast<uint32_t>(c));
  }
}

}  // namespace st::cuda
