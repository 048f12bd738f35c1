#include "engine/generation/choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/philox.h"

namespace st {

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

bool before(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.token < b.token;
}

// Tokens that followed the last `length - 1` tokens wherever these stood before.
void forbid_repeats(std::span<const int32_t> ids, int64_t length, std::span<float> scores_V) {
  const auto size = static_cast<int64_t>(ids.size());
  const auto tail = ids.last(static_cast<size_t>(std::min(length - 1, size)));
  for (int64_t i = 0; i + length <= size; ++i) {
    if (std::equal(tail.begin(), tail.end(), ids.begin() + i)) scores_V[ids[i + length - 1]] = kNever;
  }
}

// Calls take(token) for scores above `bound`, which it may raise, in rising order. Blocks without one are passed over
// at once.
template <typename Take>
void for_each_above(std::span<const float> scores_V, const float& bound, const Take& take) {
  constexpr size_t kBlock = 64;
  for (size_t first = 0; first < scores_V.size(); first += kBlock) {
    const auto block = scores_V.subspan(first, std::min(kBlock, scores_V.size() - first));
    if (block.size() == kBlock) {
      const float at_first = bound;
      int32_t above = 0;
      for (size_t i = 0; i < kBlock; ++i) above |= static_cast<int32_t>(block[i] > at_first);
      if (above == 0) continue;
    }
    for (size_t i = 0; i < block.size(); ++i) {
      if (block[i] > bound) take(first + i);
    }
  }
}

std::vector<Candidate> all_candidates(std::span<const float> scores_V) {
  std::vector<Candidate> out;
  out.reserve(scores_V.size());
  for (size_t i = 0; i < scores_V.size(); ++i) {
    if (scores_V[i] > kNever) out.push_back({scores_V[i], static_cast<int32_t>(i)});
  }
  return out;
}

// Probabilities, up to a factor.
struct Weights {
  float highest;

  explicit Weights(std::span<const Candidate> of) : highest(std::min_element(of.begin(), of.end(), before)->score) {}
  double operator()(const Candidate& one) const { return std::exp(static_cast<double>(one.score - highest)); }
  double total(std::span<const Candidate> of) const {
    return std::accumulate(of.begin(), of.end(), 0.0,
                           [this](double sum, const Candidate& one) { return sum + (*this)(one); });
  }
};

// Cuts `from`, whose order is any, to the first that reach `share` of the probability, in falling order.
void cut_to_share(std::vector<Candidate>& from, double share, int64_t least) {
  const Weights weight(from);
  const double total = weight.total(from);
  // Few are needed as a rule, so only as many as these are sorted.
  auto sorted = from.begin();
  double reached = 0;
  for (auto next = from.begin(); next != from.end(); ++next) {
    if (next == sorted) {
      constexpr ptrdiff_t kAtOnce = 256;
      sorted += std::min(from.end() - sorted, std::max<ptrdiff_t>(kAtOnce, sorted - from.begin()));
      std::partial_sort(next, sorted, from.end(), before);
    }
    if (reached >= share * total && next - from.begin() >= least) {
      from.erase(next, from.end());
      return;
    }
    reached += weight(*next);
  }
}

}  // namespace

void forbid(const GenerationOptions& options, std::span<const int32_t> ids, std::span<float> scores_V) {
  if (options.no_repeat_ngram > 0) forbid_repeats(ids, options.no_repeat_ngram, scores_V);
  if (static_cast<int64_t>(ids.size()) - 1 < options.least_tokens) {
    for (const int32_t end : options.ends) scores_V[end] = kNever;
  }
}

int32_t best_token(std::span<const float> scores_V) {
  size_t best = 0;
  float highest = scores_V[0];
  for_each_above(scores_V, highest, [&](size_t token) {
    best = token;
    highest = scores_V[token];
  });
  return static_cast<int32_t>(best);
}

std::vector<Candidate> best_candidates(std::span<const float> scores_V, int64_t count) {
  // The worst of the best so far is at the front.
  std::vector<Candidate> out;
  const auto wanted = static_cast<size_t>(std::min<int64_t>(count, static_cast<int64_t>(scores_V.size())));
  for (size_t i = 0; i < wanted; ++i) out.push_back({scores_V[i], static_cast<int32_t>(i)});
  if (out.empty()) return out;
  std::make_heap(out.begin(), out.end(), before);
  float lowest = out.front().score;
  for_each_above(scores_V.subspan(wanted), lowest, [&](size_t i) {
    std::pop_heap(out.begin(), out.end(), before);
    out.back() = {scores_V[wanted + i], static_cast<int32_t>(wanted + i)};
    std::push_heap(out.begin(), out.end(), before);
    lowest = out.front().score;
  });
  std::sort_heap(out.begin(), out.end(), before);
  return out;
}

std::vector<Candidate> sampling_candidates(const GenerationOptions& options, std::span<const float> scores_V,
                                           int64_t least) {
  const auto size = static_cast<int64_t>(scores_V.size());
  const int64_t rank = std::max(options.top_k, least);
  std::vector<Candidate> out;
  if (options.top_k == 0 || rank >= size) {
    out = all_candidates(scores_V);
  } else {
    const float lowest = best_candidates(scores_V, rank).back().score;
    const float below = std::nextafter(lowest, kNever);
    for_each_above(scores_V, below, [&](size_t i) { out.push_back({scores_V[i], static_cast<int32_t>(i)}); });
  }
  // No token may come next, or no score is a number: the first ones, as best_token() takes then. Never none.
  if (out.empty()) return best_candidates(scores_V, least);
  const auto divisor = static_cast<float>(options.temperature);
  for (Candidate& one : out) one.score /= divisor;
  if (options.top_p < 1) cut_to_share(out, options.top_p, least);
  return out;
}

double Draw::uniform(int32_t token) const {
  const Philox bits(DropoutKey(seed, static_cast<uint64_t>(prompt), static_cast<uint64_t>(answer)).key,
                    static_cast<uint32_t>(step), static_cast<uint32_t>(token), 0, 0);
  const uint64_t both = (static_cast<uint64_t>(bits.x[0]) << 32 | bits.x[1]) >> 11;
  return (static_cast<double>(both) + 0.5) * 0x1.0p-53;
}

int32_t draw_token(std::span<const Candidate> candidates, const Draw& draw) {
  const Weights weight(candidates);
  double left = draw.uniform() * weight.total(candidates);
  for (const Candidate& one : candidates) {
    left -= weight(one);
    if (left < 0) return one.token;
  }
  return candidates.back().token;
}

}  // namespace st
