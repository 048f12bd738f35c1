#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "ops/token_codes.h"

// Late interaction (ColBERT): a document's score is, for each vector of the query, the largest product with one of the
// document's vectors, summed over the query. Scores of all vectors never stand whole: documents pass in groups, and
// what is kept is the winning vector of each document for each vector of the queries.
namespace st {

// Vectors of texts, one after the other: text r has those from offsets[r] up to offsets[r + 1].
struct TokenVectors {
  at::Tensor x_TD;
  std::span<const int32_t> offsets;

  int64_t rows() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t length(int64_t row) const { return offsets[row + 1] - offsets[row]; }
  // Texts [begin, end), with offsets that still count from the first of all.
  TokenVectors slice(int64_t begin, int64_t end) const {
    return {x_TD, offsets.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin) + 1)};
  }
};

struct MaxSim {
  // Divides by the number of the query's vectors, at least 1.
  bool mean = false;
  // XTR (Lee et al. 2023), where above 0: of each query vector only its `top_k` largest products with vectors of all
  // documents count, and a document's sum is divided by the number of query vectors that count in it, at least 1.
  int64_t top_k = 0;
};

// What a document without vectors scores, before it is divided.
constexpr double kEmptyDocument = -1e9;

// [Q, N]: every query with every document. Differentiable by autograd; where two vectors of a document win, the first
// has the gradient.
at::Tensor max_sim(const TokenVectors& queries, const TokenVectors& documents, const MaxSim& options);

// [R]: row r of the queries with row r of the documents. With top_k, all of them are compared.
at::Tensor max_sim_rows(const TokenVectors& queries, const TokenVectors& documents, const MaxSim& options);

// [Q, N] of documents in few bits, whose numbers stand a block at a time. Without gradients; queries are float32.
at::Tensor max_sim(const TokenVectors& queries, const TokenCodes& codes, std::span<const int32_t> offsets,
                   const MaxSim& options);

namespace reference {
at::Tensor max_sim(const TokenVectors& queries, const TokenVectors& documents, const MaxSim& options);
}  // namespace reference

}  // namespace st
