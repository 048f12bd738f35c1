#include "engine/generation/search.h"

#include <algorithm>

#include "engine/generation/beams.h"

namespace st {

namespace {

// One answer: the best token each time, or a drawn one.
class SingleSearch final : public Search {
 public:
  SingleSearch(const GenerationOptions& options, int64_t prompt, int64_t number, int32_t slot)
      : options_(options), prompt_(prompt), number_(number), slot_(slot), ids_{options.start} {}

  std::vector<Row> rows() const override { return {{slot_, ids_.back()}}; }

  std::vector<std::pair<int32_t, int32_t>> step(std::span<float> scores_V) override {
    forbid(options_, ids_, scores_V);
    const auto written = static_cast<int64_t>(ids_.size()) - 1;
    ids_.push_back(options_.sample ? draw_token(sampling_candidates(options_, scores_V, 1),
                                                {options_.seed, options_.first_prompt + prompt_, number_, written})
                                   : best_token(scores_V));
    return {};
  }

  bool is_done() const override {
    const auto written = static_cast<int64_t>(ids_.size()) - 1;
    if (written == 0) return false;
    return written >= options_.most_tokens ||
           std::find(options_.ends.begin(), options_.ends.end(), ids_.back()) != options_.ends.end();
  }

  std::vector<Generation::Answer> answers() const override {
    return {{prompt_, number_, std::vector<int32_t>(ids_.begin() + 1, ids_.end())}};
  }
  int64_t prompt() const override { return prompt_; }

 private:
  const GenerationOptions& options_;
  int64_t prompt_, number_;
  int32_t slot_;
  std::vector<int32_t> ids_;
};

class BeamSearch final : public Search {
 public:
  BeamSearch(const GenerationOptions& options, int64_t prompt, int32_t first_slot)
      : beams_(options, options.first_prompt + prompt), prompt_(prompt) {
    for (int64_t i = 0; i < options.beams; ++i) slots_.push_back(first_slot + static_cast<int32_t>(i));
  }

  std::vector<Row> rows() const override {
    std::vector<Row> out;
    for (size_t i = 0; i < slots_.size(); ++i) out.push_back({slots_[i], beams_.running()[i].ids.back()});
    return out;
  }

  // A sequence's first successor keeps its slot, and others take those of sequences without one.
  std::vector<std::pair<int32_t, int32_t>> step(std::span<float> scores_BV) override {
    beams_.step(scores_BV);
    const std::vector<int64_t>& parents = beams_.parents();
    std::vector<int32_t> next(slots_.size(), -1), unused;
    std::vector<bool> kept(slots_.size());
    for (size_t i = 0; i < parents.size(); ++i) {
      const auto parent = static_cast<size_t>(parents[i]);
      if (!kept[parent]) next[i] = slots_[parent];
      kept[parent] = true;
    }
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (!kept[i]) unused.push_back(slots_[i]);
    }
    std::vector<std::pair<int32_t, int32_t>> copies;
    for (size_t i = 0; i < parents.size(); ++i) {
      if (next[i] >= 0) continue;
      next[i] = unused.back();
      unused.pop_back();
      copies.emplace_back(slots_[static_cast<size_t>(parents[i])], next[i]);
    }
    slots_ = std::move(next);
    return copies;
  }

  bool is_done() const override { return beams_.is_done(); }

  std::vector<Generation::Answer> answers() const override {
    std::vector<Generation::Answer> out;
    for (std::vector<int32_t>& ids : beams_.answers()) {
      out.push_back({prompt_, static_cast<int64_t>(out.size()), std::move(ids)});
    }
    return out;
  }
  int64_t prompt() const override { return prompt_; }

 private:
  Beams beams_;
  int64_t prompt_;
  std::vector<int32_t> slots_;
};

}  // namespace

std::vector<std::unique_ptr<Search>> make_searches(const GenerationOptions& options, int64_t prompts) {
  std::vector<std::unique_ptr<Search>> out;
  int32_t slot = 0;
  for (int64_t prompt = 0; prompt < prompts; ++prompt) {
    if (options.beams > 1) {
      out.push_back(std::make_unique<BeamSearch>(options, prompt, slot));
      slot += static_cast<int32_t>(options.beams);
      continue;
    }
    for (int64_t number = 0; number < options.answers; ++number) {
      out.push_back(std::make_unique<SingleSearch>(options, prompt, number, slot++));
    }
  }
  return out;
}

}  // namespace st
