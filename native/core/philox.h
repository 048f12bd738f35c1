#pragma once

#include <cstdint>

namespace st {

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): the readable reference of the
// vectorised generator in ops/cpu/kernels.cpp. Tests compare the two.
struct Philox {
  uint32_t x[4];

  Philox(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3) : x{c0, c1, c2, c3} {
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const uint64_t p0 = uint64_t{0xD2511F53} * x[0], p1 = uint64_t{0xCD9E8D57} * x[2];
      const uint32_t y0 = static_cast<uint32_t>(p1 >> 32) ^ x[1] ^ k0, y2 = static_cast<uint32_t>(p0 >> 32) ^ x[3] ^ k1;
      x[1] = static_cast<uint32_t>(p1);
      x[3] = static_cast<uint32_t>(p0);
      x[0] = y0;
      x[2] = y2;
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
  }
};

// The numbers of a pass's rows in the batch of all processes, each of which has consecutive rows of every column.
struct MaskRows {
  uint32_t before = 0;    // rows of this process before the pass's row 0
  uint32_t column = ~0u;  // rows of this process in a column
  uint32_t skipped = 0;   // rows of other processes in a column: before its own ones,
  uint32_t others = 0;    // and all of them

  uint32_t number(uint32_t row) const {
    const uint32_t own = before + row;
    return own + own / column * others + skipped;
  }
};

// Decides the masks of a pass. A mask is a pure function of these values and of (site, row, position, column). So
// chunks of a batch can be replayed, and neither packing, threads nor processes change a mask.
struct DropoutKey {
  uint64_t key = 0;
  uint32_t first_row = 0;  // number of the batch's first row
  MaskRows rows;

  DropoutKey() = default;
  DropoutKey(uint64_t seed, uint64_t step, uint64_t accumulation, uint32_t row = 0)
      : key(mix(mix(mix(seed) ^ step) ^ accumulation)), first_row(row) {}

 private:
  static uint64_t mix(uint64_t z) {  // SplitMix64 (Steele et al. 2014)
    z += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
};

// One place of a network with dropout. Each element takes 16 random bits and is dropped when they are below
// `threshold`.
struct Dropout {
  uint64_t key = 0;
  uint32_t first_row = 0;
  MaskRows rows;
  uint32_t site = 0;       // index of the place in the network, below 65,536
  uint32_t threshold = 0;  // of 65,536; 0 = no dropout
  double scale = 1;        // 65,536 / (65,536 - threshold): the inverse of the rounded probability

  Dropout() = default;
  Dropout(const DropoutKey& pass, uint32_t site, double probability)
      : key(pass.key),
        first_row(pass.first_row),
        rows(pass.rows),
        site(site),
        threshold(static_cast<uint32_t>(probability * 65536 + 0.5)),
        scale(65536.0 / (65536.0 - threshold)) {}

  bool active() const { return threshold > 0; }
  // Of a row of the pass, by which its mask is drawn.
  uint32_t number(uint32_t row) const { return first_row + rows.number(row); }

  // 0 or `scale` for one element. Columns are grouped by 128: 16 Philox counters of 8 values each, so that 16
  // neighbours come from 16 counters (one vector register).
  double multiplier(uint32_t row, uint32_t position, uint32_t column) const {
    return drawn({key, column / 128 * 16 + column % 16, position, number(row), site}, column % 128 / 16);
  }

  // The same for a probability of attention. A counter serves 8 keys, and 16 queries use 16 counters.
  double attention_multiplier(uint32_t row, uint32_t head, uint32_t query, uint32_t key_position) const {
    return drawn({key, key_position / 8, query, number(row), site | head << 16}, key_position % 8);
  }

 private:
  double drawn(const Philox& draw, uint32_t value) const {
    const uint32_t bits = (draw.x[value / 2] >> (value % 2 * 16)) & 0xFFFF;
    return bits < threshold ? 0.0 : scale;
  }
};

}  // namespace st
