#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "engine/generation/generation.h"

namespace st {

// How the texts of one prompt go on: one text by itself, or beams. Each unfinished text has a slot of the cache.
class Search {
 public:
  virtual ~Search() = default;
  // Of each unfinished text: its slot and its last token.
  struct Row {
    int32_t slot, token;
  };
  virtual std::vector<Row> rows() const = 0;
  // Takes the next tokens. `scores_RV`: of its rows, which are changed. Returns slots whose content another takes over:
  // from, to.
  virtual std::vector<std::pair<int32_t, int32_t>> step(std::span<float> scores_RV) = 0;
  virtual bool is_done() const = 0;
  virtual std::vector<Generation::Answer> answers() const = 0;
  virtual int64_t prompt() const = 0;
};

// Those of all prompts, which are numbered from 0.
std::vector<std::unique_ptr<Search>> make_searches(const GenerationOptions& options, int64_t prompts);

}  // namespace st
