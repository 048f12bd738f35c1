#pragma once

#include <cstdint>
#include <variant>
#include <vector>

namespace st {

// Rows of tokens without padding, column-major: all anchors, then all positives, ... This is what an encoder reads.
struct Rows {
  std::vector<int32_t> ids;             // [T]
  std::vector<int32_t> offsets;         // [rows + 1], rising from 0 to T
  std::vector<int32_t> token_types;     // [T] or empty
  std::vector<int32_t> prompt_lengths;  // [rows] or empty
  std::vector<int32_t> attended;        // [rows] or empty: only so many tokens from the first on are attended to
  std::vector<int32_t> queries;         // [rows] or empty: 1 for a query, 0 for a document or neither
  int64_t columns = 1;

  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }
  int64_t rows() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t length(int64_t row) const { return offsets[row + 1] - offsets[row]; }
  // Tokens of a row that others attend to.
  int64_t attended_of(int64_t row) const { return attended.empty() ? length(row) : attended[row]; }
  bool hides_tokens() const;  // whether a row has tokens that nobody attends to
  bool is_query(int64_t row) const { return !queries.empty() && queries[row] != 0; }
  int64_t max_length() const;
  // Rows [begin, end) in one column.
  Rows slice(int64_t begin, int64_t end) const;

  // Throws ERR_INVALID_ARGUMENT unless sizes agree, offsets rise and every row holds 1 (0 where rows `may_be_empty`) to
  // max_positions tokens whose ids and types lie inside the tables. Checked here because a bad index on a GPU ends the
  // process.
  void validate(int64_t vocab_size, int64_t type_vocab_size, int64_t max_positions, bool may_be_empty = false) const;
};

// What losses read beside the embeddings of the rows.
struct LossData {
  std::variant<std::monostate, std::vector<float>, std::vector<int32_t>> labels;
  std::vector<int64_t> label_shape;
  std::vector<int32_t> lists;  // [queries + 1], rising from 0 to rows, or empty
  std::vector<float> guide;    // [rows, guide_width] or empty
  int64_t guide_width = 0;
  std::vector<int32_t> text_ids;        // [rows] or empty
  std::vector<int32_t> target_ids;      // tokens that the loss predicts, packed like ids; -100 = not predicted
  std::vector<int32_t> target_offsets;  // empty when there are none

  // Throws ERR_INVALID_ARGUMENT unless it fits the rows.
  void validate(const Rows& rows, int64_t vocab_size) const;
};

// PackedBatch of lib/native/types.ts
struct PackedBatch : Rows, LossData {
  void validate(int64_t vocab_size, int64_t type_vocab_size, int64_t max_positions, bool may_be_empty = false) const {
    Rows::validate(vocab_size, type_vocab_size, max_positions, may_be_empty);
    LossData::validate(*this, vocab_size);
  }
};

}  // namespace st
