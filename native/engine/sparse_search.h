#pragma once

#include <cstdint>
#include <string>

namespace st {

// Rows of few numbers other than 0. Row r has values[i] in column indices[i], for i from offsets[r] to offsets[r + 1].
struct SparseRows {
  int64_t rows, columns;
  const int32_t* offsets;  // [rows + 1]
  const int32_t* indices;
  const float* values;
};

// The same matrix by columns, an inverted index: documents[i] has values[i] in column c, for i from offsets[c] to
// offsets[c + 1], documents ascending; and sums over each document.
struct Postings {
  int64_t rows, columns;
  int32_t* offsets;  // [columns + 1]
  int32_t* documents;
  float* values;
  double* squares;     // sums of value^2, [rows]
  double* magnitudes;  // sums of |value|, [rows]
};

// Throws ERR_INVALID_ARGUMENT unless `rows` + 1 offsets rise from 0 to `count`. `name` is that of the rows in errors.
void check_offsets(const int32_t* offsets, int64_t rows, int64_t count, const char* name);
// The same, and ERR_INVALID_ARGUMENT unless columns ascend in each row, ERR_INVALID_DATA for NaN or an infinity.
void check_sparse(const SparseRows& rows, int64_t count, const char* name);

// Fills the inverted index of checked rows.
void invert(const SparseRows& rows, const Postings& out);

// Exact search: for every checked query, the k best documents, best first, ties by the smaller number. metric: cosine,
// dot, euclidean, manhattan (the last two as negative distances). scores and indices are [queries, k]. Products are
// added in double precision, by ascending column, so that a score depends on its two rows alone.
void sparse_top_k(const SparseRows& queries, const Postings& postings, int64_t k, const std::string& metric,
                  float* scores, int32_t* indices);

}  // namespace st
