#include "core/packed.h"

#include <algorithm>

#include "core/error.h"

namespace st {

namespace {
constexpr const char* kInvalid = "ERR_INVALID_ARGUMENT";
}

int64_t PackedBatch::max_length() const {
  int64_t longest = 0;
  for (int64_t row = 0; row < rows(); ++row) longest = std::max(longest, length(row));
  return longest;
}

void PackedBatch::validate(int64_t vocab_size, int64_t type_vocab_size, int64_t max_positions) const {
  check(offsets.size() >= 2, kInvalid, "Expected a batch of at least one row but found ", offsets.size(), " offsets");
  check(offsets.front() == 0 && offsets.back() == tokens(), kInvalid, "Expected offsets from 0 to ", tokens(),
        " but found ", offsets.front(), " to ", offsets.back());
  for (int64_t row = 0; row < rows(); ++row) {
    check(offsets[row + 1] > offsets[row], kInvalid, "Expected rising offsets but found ", offsets[row], " then ",
          offsets[row + 1], " at row ", row);
    check(length(row) <= max_positions, kInvalid, "Row ", row, " has ", length(row), " tokens but the model has only ",
          max_positions, " positions: truncate to maxSeqLength");
  }
  check(columns >= 1 && rows() % columns == 0, kInvalid, "Expected a number of rows that ", columns,
        " columns divide but found ", rows());
  for (size_t i = 0; i < ids.size(); ++i) {
    check(ids[i] >= 0 && ids[i] < vocab_size, kInvalid, "Expected token ids from 0 to ", vocab_size - 1, " but found ",
          ids[i], " at token ", i);
  }
  check(token_types.empty() || token_types.size() == ids.size(), kInvalid, "Expected ", ids.size(),
        " token types but found ", token_types.size());
  for (size_t i = 0; i < token_types.size(); ++i) {
    check(token_types[i] >= 0 && token_types[i] < type_vocab_size, kInvalid, "Expected token types from 0 to ",
          type_vocab_size - 1, " but found ", token_types[i], " at token ", i);
  }
  check(prompt_lengths.empty() || static_cast<int64_t>(prompt_lengths.size()) == rows(), kInvalid, "Expected ", rows(),
        " prompt lengths but found ", prompt_lengths.size());
  for (size_t row = 0; row < prompt_lengths.size(); ++row) {
    check(prompt_lengths[row] >= 0, kInvalid, "Expected prompt lengths of 0 or more but found ", prompt_lengths[row],
          " at row ", row);
  }
}

}  // namespace st
