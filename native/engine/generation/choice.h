#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/generation/options.h"

// The next token of a sequence from the scores of all tokens. The order of rules is that of transformers.
namespace st {

struct Candidate {
  float score;
  int32_t token;
};

// Scores of tokens that may not come next become minus infinity: ends before `least_tokens`, and tokens that would
// repeat a sequence of `no_repeat_ngram` tokens. `ids`: the sequence with its start.
void forbid(const GenerationOptions& options, std::span<const int32_t> ids, std::span<float> scores_V);

int32_t best_token(std::span<const float> scores_V);
// The highest scores in falling order; of equal ones those of the first tokens.
std::vector<Candidate> best_candidates(std::span<const float> scores_V, int64_t count);

// What sampling may choose, in any order: scores divided by the temperature, of them the `top_k` highest (and those
// equal to the last), and of these the fewest whose probability reaches `top_p`. At least `least` remain.
std::vector<Candidate> sampling_candidates(const GenerationOptions& options, std::span<const float> scores_V,
                                           int64_t least);

// Random numbers of one place of one answer, functions of the seed and of these numbers.
struct Draw {
  uint64_t seed;
  int64_t prompt, answer, step;

  // In (0, 1), another for each token.
  double uniform(int32_t token = 0) const;
};

// Draws by the softmax of the scores.
int32_t draw_token(std::span<const Candidate> candidates, const Draw& draw);

}  // namespace st
