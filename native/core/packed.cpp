#include "core/packed.h"

#include <algorithm>
#include <functional>
#include <string>

#include "core/error.h"
#include "core/sizes.h"

namespace st {

namespace {
constexpr const char* kInvalid = "ERR_INVALID_ARGUMENT";
}

int64_t Rows::max_length() const {
  int64_t longest = 0;
  for (int64_t row = 0; row < rows(); ++row) longest = std::max(longest, length(row));
  return longest;
}

bool Rows::hides_tokens() const {
  for (int64_t row = 0; row < rows() && !attended.empty(); ++row) {
    if (attended[row] < length(row)) return true;
  }
  return false;
}

Rows Rows::slice(int64_t begin, int64_t end) const {
  const int32_t first = offsets[begin], last = offsets[end];
  Rows out;
  out.ids.assign(ids.begin() + first, ids.begin() + last);
  for (int64_t row = begin; row <= end; ++row) out.offsets.push_back(offsets[row] - first);
  if (!token_types.empty()) out.token_types.assign(token_types.begin() + first, token_types.begin() + last);
  if (!prompt_lengths.empty()) out.prompt_lengths.assign(prompt_lengths.begin() + begin, prompt_lengths.begin() + end);
  if (!attended.empty()) out.attended.assign(attended.begin() + begin, attended.begin() + end);
  if (!queries.empty()) out.queries.assign(queries.begin() + begin, queries.begin() + end);
  return out;
}

namespace {

// Checks offsets of `what`: `count` + 1 values rising from 0 to `end`.
void check_offsets(const char* what, const std::vector<int32_t>& offsets, int64_t end) {
  check(offsets.size() >= 2 && offsets.front() == 0 && offsets.back() == end, kInvalid, "Expected ", what,
        " from 0 to ", end, " but found ", offsets.size(), " values",
        offsets.empty() ? "" : " up to " + std::to_string(offsets.back()));
  check(std::adjacent_find(offsets.begin(), offsets.end(), std::greater_equal<>()) == offsets.end(), kInvalid,
        "Expected ", what, " that rise");
}

}  // namespace

void Rows::validate(int64_t vocab_size, int64_t type_vocab_size, int64_t max_positions, bool may_be_empty) const {
  check(offsets.size() >= 2, kInvalid, "Expected a batch of at least one row but found ", offsets.size(), " offsets");
  check(offsets.front() == 0 && offsets.back() == tokens(), kInvalid, "Expected offsets from 0 to ", tokens(),
        " but found ", offsets.front(), " to ", offsets.back());
  for (int64_t row = 0; row < rows(); ++row) {
    check(offsets[row + 1] > offsets[row] || (may_be_empty && offsets[row + 1] == offsets[row]), kInvalid,
          "Expected rising offsets but found ", offsets[row], " then ", offsets[row + 1], " at row ", row);
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
  check(attended.empty() || static_cast<int64_t>(attended.size()) == rows(), kInvalid, "Expected ", rows(),
        " numbers of attended tokens but found ", attended.size());
  for (size_t row = 0; row < attended.size(); ++row) {
    const int64_t tokens_of_row = length(static_cast<int64_t>(row));
    check(attended[row] >= std::min<int64_t>(1, tokens_of_row) && attended[row] <= tokens_of_row, kInvalid,
          "Expected 1 to ", tokens_of_row, " attended tokens but found ", attended[row], " at row ", row);
  }
  check(queries.empty() || static_cast<int64_t>(queries.size()) == rows(), kInvalid, "Expected ", rows(),
        " marks of queries but found ", queries.size());
}

void LossData::validate(const Rows& rows, int64_t vocab_size) const {
  const int64_t count = rows.rows();
  if (!lists.empty()) {
    check(rows.columns == 1, kInvalid, "Expected one column beside batch.lists but found ", rows.columns);
    check_offsets("batch.lists", lists, count);
  }
  const int64_t guided = checked_product("the guide embeddings", {count, guide_width});
  check(static_cast<int64_t>(guide.size()) == guided, kInvalid, "Expected ", guided,
        " values of guide embeddings but found ", guide.size());
  check(text_ids.empty() || static_cast<int64_t>(text_ids.size()) == count, kInvalid, "Expected ", count,
        " text ids but found ", text_ids.size());
  if (!target_offsets.empty() || !target_ids.empty()) {
    check_offsets("target offsets", target_offsets, static_cast<int64_t>(target_ids.size()));
    for (size_t i = 0; i < target_ids.size(); ++i) {
      check(target_ids[i] == -100 || (target_ids[i] >= 0 && target_ids[i] < vocab_size), kInvalid,
            "Expected target ids from 0 to ", vocab_size - 1, ", or -100, but found ", target_ids[i], " at ", i);
    }
  }
}

}  // namespace st
