#pragma once

#include "ops/cpu/simd.inl"

// Dropout::number of core/philox.h: of a row of the pass, by which its masks are drawn.
ST_INLINE uint32_t mask_row(const Dropout& dropout, uint32_t row) {
  const MaskRows& rows = dropout.rows;
  const uint32_t own = rows.before + row;
  return dropout.first_row + own + own / rows.column * rows.others + rows.skipped;
}
