#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/generation/choice.h"

namespace st {

// Beam search over the answers to one prompt, step by step as transformers' _beam_search: `beams` unfinished sequences
// go on, and the best finished ones are kept. A prompt's search does not depend on others of its batch.
class Beams {
 public:
  Beams(const GenerationOptions& options, int64_t prompt);

  struct Sequence {
    std::vector<int32_t> ids;  // with the start
    float score;
  };
  // Unfinished sequences, `beams` of them. Only the first counts before the first step.
  const std::vector<Sequence>& running() const { return running_; }
  // After a step: the number of the sequence that each continues.
  const std::vector<int64_t>& parents() const { return parents_; }

  // `scores_BV`: log probabilities of the next token of each sequence, which are changed.
  void step(std::span<float> scores_BV);
  bool is_done() const { return done_; }
  // The best `answers`, without start, and with its end if one has it.
  std::vector<std::vector<int32_t>> answers() const;

 private:
  struct Continuation {
    float score;
    int64_t parent;
    int32_t token;
    bool finished;
  };
  std::vector<Continuation> continuations(std::span<float> scores_BV) const;
  void finish(const std::vector<Continuation>& best);
  bool can_improve() const;

  const GenerationOptions options_;
  int64_t prompt_;
  std::vector<Sequence> running_, finished_;  // the finished ones in falling order
  std::vector<int64_t> parents_;
  int64_t steps_ = 0;
  bool done_ = false;
};

}  // namespace st
