#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ops/max_sim.h"
#include "ops/token_codes.h"
#include "ops/token_pooling.h"

namespace st {

// Vectors of texts in the memory of a caller: text r has those from offsets[r] up to offsets[r + 1].
struct GivenVectors {
  float* data = nullptr;
  std::optional<TokenCodes> codes;  // in place of `data`
  int64_t size = 0;                 // numbers, or bytes of codes
  std::vector<int32_t> offsets;
};

// Throws ERR_INVALID_ARGUMENT, naming `what`, unless offsets rise from 0 to the number of vectors of width `dim`.
void check_given(const GivenVectors& given, int64_t dim, const char* what);

// The scores of all queries with all documents, [queries, documents]; or, `by_row`, of row r with row r, [rows].
void score_vectors(const GivenVectors& queries, const GivenVectors& documents, int64_t dim, const MaxSim& options,
                   bool by_row, float* scores);

// Pools the vectors of every text. The new ones come first in `out`, which has the room of the old ones; counts: how
// many each text has.
void pool_vectors(const GivenVectors& given, int64_t dim, const TokenPooling& options, float* out, int32_t* counts);

}  // namespace st
