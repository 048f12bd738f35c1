#pragma once

#include <cstdint>
#include <vector>

namespace st {

// How a decoder writes texts: GenerationOptions of lib/native/types.ts. Names and meaning are those of transformers'
// GenerationConfig.
struct GenerationOptions {
  enum class EarlyStopping { kNo, kYes, kNever };

  int32_t start = 0;          // what each text begins with; not a part of the answer
  std::vector<int32_t> ends;  // tokens that end a text
  int64_t most_tokens = 20;   // of an answer, with its end
  int64_t least_tokens = 0;   // before an end
  bool sample = false;
  double temperature = 1;
  int64_t top_k = 0;  // 0 = all
  double top_p = 1;
  int64_t beams = 1;
  double length_penalty = 1;
  EarlyStopping early_stopping = EarlyStopping::kNo;
  int64_t answers = 1;          // to each prompt
  int64_t no_repeat_ngram = 0;  // length of the token sequences that do not come twice; 0 = any may
  uint64_t seed = 0;
  int64_t first_prompt = 0;  // number of the first prompt in the whole: what is drawn does not depend on batches

  // Sequences that a prompt has in the batch.
  int64_t sequences() const { return beams > 1 ? beams : answers; }
  // Throws ERR_INVALID_ARGUMENT.
  void check(int64_t vocabulary) const;
};

}  // namespace st
