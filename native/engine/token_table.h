#pragma once

#include <algorithm>
#include <vector>

#include "core/packed.h"
#include "core/parameters.h"

namespace st {

// Whether heads with these parameters read the whole token table, and not the rows of a batch's tokens alone.
inline bool read_table(const std::vector<ParamId>& of_heads, const Parameters& parameters) {
  return std::find(of_heads.begin(), of_heads.end(), parameters.token_table) != of_heads.end();
}

// Does the postponed updates of what a pass over the batch reads.
inline void settle(const Rows& batch, const std::vector<ParamId>& of_heads, const Parameters& parameters) {
  if (read_table(of_heads, parameters)) {
    parameters.settle();
  } else {
    parameters.settle(batch.ids);
  }
}

}  // namespace st
