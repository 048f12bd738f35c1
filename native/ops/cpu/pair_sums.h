#pragma once

#include <cstdint>

// Sums over two rows of floats. Their value depends only on the numbers of the two rows, not on other rows, their
// place, the number of threads or the instruction set, as a matrix product's would. In double precision: element i
// goes to sum i mod 8, and the sums are added as ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)). lib/models/similarity.ts
// gives the same bits.
namespace st::kernels {

struct PairSums {
  // out[r] = the sum over x and rows[r]. Shapes: x and rows[r] [width].
  using WithRows = void (*)(int64_t width, const float* x, int64_t count, const float* const* rows, double* out);
  WithRows products;             // x * row
  WithRows squared_differences;  // (x - row)^2
  WithRows differences;          // |x - row|
  // out[r] = the sum of the squares of row r of x_RD.
  void (*squares)(int64_t width, int64_t count, const float* x_RD, double* out);
  // to = factor * from
  void (*scale)(int64_t width, double factor, const float* from, float* to);
};

// The one for table()'s instruction set.
const PairSums& pair_sums();

}  // namespace st::kernels
