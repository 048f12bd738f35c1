#include "engine/generation/beams.h"

#include <algorithm>
#include <cmath>

namespace st {

namespace {

// What transformers gives a sequence that does not count. Sums with it stay finite.
constexpr float kOut = -1e9F;

// `score` of a sequence of so many tokens.
float normalised(float score, int64_t tokens, double length_penalty) {
  return score / static_cast<float>(std::pow(static_cast<double>(tokens), length_penalty));
}

}  // namespace

Beams::Beams(const GenerationOptions& options, int64_t prompt) : options_(options), prompt_(prompt) {
  running_.assign(static_cast<size_t>(options.beams), {{options.start}, kOut});
  running_[0].score = 0;
}

std::vector<Beams::Continuation> Beams::continuations(std::span<float> scores_BV) const {
  const size_t vocabulary = scores_BV.size() / running_.size();
  const auto ends = static_cast<int64_t>(options_.ends.size());
  // Enough that `beams` of them go on, whichever end.
  const int64_t kept = std::max<int64_t>(2, 1 + ends) * options_.beams;
  struct Choice {
    Continuation continuation;
    double order;
  };
  std::vector<Choice> found;
  for (size_t beam = 0; beam < running_.size(); ++beam) {
    const Sequence& sequence = running_[beam];
    const std::span<float> scores_V = scores_BV.subspan(beam * vocabulary, vocabulary);
    forbid(options_, sequence.ids, scores_V);
    const auto number = static_cast<int64_t>(beam);
    const std::vector<Candidate> candidates =
        options_.sample ? sampling_candidates(options_, scores_V, 1 + ends) : best_candidates(scores_V, kept);
    const Draw draw{options_.seed, prompt_, number, steps_};
    for (const auto& [score, token] : candidates) {
      const float sum = score + sequence.score;
      // The highest sums with noise of a Gumbel distribution are a sample without replacement (Kool et al. 2019).
      const double noise = options_.sample ? -std::log(-std::log(draw.uniform(token))) : 0;
      found.push_back({{sum, number, token, false}, sum + noise});
    }
  }
  const auto count = static_cast<ptrdiff_t>(std::min(found.size(), static_cast<size_t>(kept)));
  std::partial_sort(found.begin(), found.begin() + count, found.end(),
                    [](const Choice& a, const Choice& b) { return a.order > b.order; });
  std::vector<Continuation> out;
  for (auto one = found.begin(); one != found.begin() + count; ++one) out.push_back(one->continuation);
  if (options_.sample) {
    std::stable_sort(out.begin(), out.end(),
                     [](const Continuation& a, const Continuation& b) { return a.score > b.score; });
  }
  const bool last = steps_ + 1 >= options_.most_tokens;
  for (Continuation& one : out) {
    one.finished = last || std::find(options_.ends.begin(), options_.ends.end(), one.token) != options_.ends.end();
  }
  return out;
}

// Of those that end, only the best `beams` continuations of this step may be answers.
void Beams::finish(const std::vector<Continuation>& best) {
  for (size_t i = 0; i < std::min(best.size(), running_.size()); ++i) {
    const Continuation& one = best[i];
    if (!one.finished) continue;
    Sequence sequence{running_[static_cast<size_t>(one.parent)].ids,
                      normalised(one.score, steps_ + 1, options_.length_penalty)};
    sequence.ids.push_back(one.token);
    const auto place = std::find_if(finished_.begin(), finished_.end(),
                                    [&](const Sequence& other) { return other.score < sequence.score; });
    finished_.insert(place, std::move(sequence));
  }
  if (finished_.size() > running_.size()) finished_.resize(running_.size());
}

// Whether a running sequence could still become better than the worst finished one, as far as transformers looks.
bool Beams::can_improve() const {
  if (finished_.size() < running_.size()) return true;
  if (options_.early_stopping == GenerationOptions::EarlyStopping::kYes) return false;
  const bool by_longest =
      options_.early_stopping == GenerationOptions::EarlyStopping::kNever && options_.length_penalty > 0;
  const int64_t tokens = by_longest ? options_.most_tokens : steps_;
  return normalised(running_[0].score, tokens, options_.length_penalty) > finished_.back().score;
}

void Beams::step(std::span<float> scores_BV) {
  const std::vector<Continuation> best = continuations(scores_BV);
  finish(best);
  std::vector<Sequence> next;
  parents_.clear();
  for (const bool finished : {false, true}) {
    for (const Continuation& one : best) {
      if (one.finished != finished || next.size() == running_.size()) continue;
      next.push_back({running_[static_cast<size_t>(one.parent)].ids, finished ? one.score + kOut : one.score});
      next.back().ids.push_back(one.token);
      parents_.push_back(one.parent);
    }
  }
  running_ = std::move(next);
  ++steps_;
  done_ = steps_ >= options_.most_tokens || !can_improve();
}

std::vector<std::vector<int32_t>> Beams::answers() const {
  std::vector<std::vector<int32_t>> out;
  for (const Sequence& one : finished_) {
    if (static_cast<int64_t>(out.size()) < options_.answers) out.emplace_back(one.ids.begin() + 1, one.ids.end());
  }
  return out;
}

}  // namespace st
