#include "engine/generation/options.h"

#include <cmath>
#include <limits>

#include "core/error.h"

namespace st {

void GenerationOptions::check(int64_t vocabulary) const {
  const auto token = [vocabulary](const char* name, int32_t id) {
    st::check(id >= 0 && id < vocabulary, "ERR_INVALID_ARGUMENT", "Expected ", name, " from 0 to ", vocabulary - 1,
              ", found ", id);
  };
  const auto at_least = [](const char* name, int64_t least, int64_t value) {
    st::check(value >= least, "ERR_INVALID_ARGUMENT", "Expected ", name, " of at least ", least, ", found ", value);
  };
  token("start", start);
  for (const int32_t end : ends) token("ends", end);
  constexpr int64_t kMostTokens = int64_t{1} << 24;
  at_least("mostTokens", 1, most_tokens);
  st::check(most_tokens <= kMostTokens, "ERR_INVALID_ARGUMENT", "Expected mostTokens of at most ", kMostTokens,
            ", found ", most_tokens);
  at_least("leastTokens", 0, least_tokens);
  at_least("topK", 0, top_k);
  at_least("beams", 1, beams);
  at_least("answers", 1, answers);
  at_least("noRepeatNgram", 0, no_repeat_ngram);
  // Scores are float.
  st::check(temperature >= std::numeric_limits<float>::min() && temperature <= std::numeric_limits<float>::max(),
            "ERR_INVALID_ARGUMENT", "Expected temperature above 0, found ", temperature);
  st::check(top_p > 0 && top_p <= 1, "ERR_INVALID_ARGUMENT", "Expected topP above 0 and at most 1, found ", top_p);
  st::check(std::isfinite(length_penalty), "ERR_INVALID_ARGUMENT", "Expected lengthPenalty to be finite, found ",
            length_penalty);
  st::check(beams <= vocabulary, "ERR_INVALID_ARGUMENT",
            "Expected at most as many beams as the vocabulary has tokens, ", vocabulary, ", found ", beams);
  st::check(beams == 1 || answers <= beams, "ERR_INVALID_ARGUMENT", "Expected at most as many answers as beams, ",
            beams, ", found ", answers);
  st::check(beams > 1 || sample || answers == 1, "ERR_INVALID_ARGUMENT",
            "Expected one answer without sampling and beams, found ", answers);
}

}  // namespace st
