#include "ops/bucket.h"

#include <algorithm>

#include "core/error.h"

namespace st {

namespace {

constexpr int64_t kShortest = 32, kFineBelow = 2048, kFine = 64, kCoarse = 128;

int64_t rounded_up(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

}  // namespace

Bucket bucket_of(const Rows& batch, int64_t positions) {
  check(positions >= 2, "ERR_INVALID_ARGUMENT", "Expected at least 2 positions but found ", positions);
  Bucket out;
  out.texts = batch.rows();
  out.longest = kShortest;
  while (out.longest < batch.max_length()) out.longest *= 2;
  // With this number of rows, any number of tokens fits, from one per row to the most that rounding adds.
  const int64_t step = batch.tokens() < kFineBelow ? kFine : kCoarse, room = std::min(out.longest, positions);
  out.padding_rows = (step - 1 + room - 2) / (room - 1);
  out.tokens = rounded_up(batch.tokens() + out.padding_rows, step);
  return out;
}

Rows padded(const Rows& batch, const Bucket& bucket) {
  const int64_t extra = bucket.tokens - batch.tokens();
  check(batch.rows() == bucket.texts && extra >= bucket.padding_rows && bucket.padding_rows > 0, "ERR_LIBTORCH",
        "Expected a batch of ", bucket.texts, " rows and up to ", bucket.tokens - bucket.padding_rows,
        " tokens but found ", batch.rows(), " and ", batch.tokens());
  Rows out;
  out.ids = batch.ids;
  out.ids.resize(bucket.tokens);
  out.offsets = batch.offsets;
  for (int64_t i = 1; i <= bucket.padding_rows; ++i) {
    out.offsets.push_back(static_cast<int32_t>(batch.tokens() + extra * i / bucket.padding_rows));
  }
  out.token_types = batch.token_types;
  if (!out.token_types.empty()) out.token_types.resize(bucket.tokens);
  out.prompt_lengths = batch.prompt_lengths;
  if (!out.prompt_lengths.empty()) out.prompt_lengths.resize(bucket.rows());
  return out;
}

}  // namespace st
