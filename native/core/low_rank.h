#pragma once

#include <cstdint>
#include <vector>

#include "core/layout.h"

namespace st {

// What an adapter adds to rows of a matrix W: scale B A (LoRA, Hu et al. 2021).
struct LowRank {
  struct Part {
    int64_t row, rows;    // of W
    int64_t first, rank;  // rows of A
    ParamId b;            // [rows, rank]
    double scale;
    uint32_t site;  // of the dropout of its input
  };
  ParamId a;     // those of all parts, one below the other
  int64_t rank;  // of all parts
  double dropout;
  std::vector<Part> parts;
};

}  // namespace st
