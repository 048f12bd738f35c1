#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace st {

struct Hit {
  float score;
  int32_t index;
};

inline bool better(const Hit& a, const Hit& b) {
  return a.score > b.score || (a.score == b.score && a.index < b.index);
}

// A row that may be among the best, with its product.
struct Candidate {
  float product;
  int32_t index;
};

// Bounds the error of a product p: the true value is at least factor * p - error. So where k rows certainly reach s,
// a row whose product is below factor * s - error is not among the best k.
struct Margin {
  float factor, error;

  float below(float product) const { return factor * product - error; }
};

// Knowledge about the best k of one query.
class Best {
 public:
  explicit Best(int64_t k) : k_(k) {}

  // A lower bound of the true products of k rows.
  float sure() const { return sure_; }
  const std::vector<Candidate>& candidates() const { return candidates_; }
  void note(const Candidate& candidate) { candidates_.push_back(candidate); }
  // Whether to call prune() now. It costs a pass over all candidates, so it is rare.
  bool is_long() const { return static_cast<int64_t>(candidates_.size()) >= 2 * k_ + kSpare; }
  // Removes candidates that cannot be among the best. margin: that of the largest product.
  void prune(const Margin& margin) {
    const auto begin = candidates_.begin(), end = candidates_.end();
    if (end - begin <= k_) return;
    const auto by_product = [](const Candidate& a, const Candidate& b) { return a.product > b.product; };
    std::nth_element(begin, begin + (k_ - 1), end, by_product);
    sure_ = std::max(sure_, margin.below(candidates_[k_ - 1].product));
    const float least = margin.below(sure_);
    candidates_.erase(std::remove_if(begin, end, [&](const Candidate& c) { return c.product < least; }), end);
  }
  void clear() { candidates_.clear(); }
  void offer(const Hit& hit) {
    if (static_cast<int64_t>(hits_.size()) == k_) {
      if (!better(hit, hits_.front())) return;
      std::pop_heap(hits_.begin(), hits_.end(), better);
      hits_.back() = hit;
    } else {
      hits_.push_back(hit);
    }
    std::push_heap(hits_.begin(), hits_.end(), better);
  }
  // Rows that start at `first`.
  void offer(const float* scores, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; ++i) offer({scores[i], static_cast<int32_t>(first + i)});
  }
  const std::vector<Hit>& sorted() {
    std::sort_heap(hits_.begin(), hits_.end(), better);
    return hits_;
  }

 private:
  static constexpr int64_t kSpare = 256;

  int64_t k_;
  std::vector<Candidate> candidates_;
  std::vector<Hit> hits_;  // a heap with the worst hit on top
  float sure_ = -std::numeric_limits<float>::infinity();
};

}  // namespace st
