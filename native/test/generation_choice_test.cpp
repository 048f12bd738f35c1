// The rules of the next token, against those of transformers written out plainly.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/generation/beams.h"
#include "engine/generation/choice.h"
#include "support.h"

namespace st::test {

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

std::vector<float> random_scores(int64_t size, uint64_t seed, double scale = 3) {
  const at::Tensor values = random_tensor({size}, at::kFloat, seed, scale);
  return {values.const_data_ptr<float>(), values.const_data_ptr<float>() + size};
}

// The probabilities of all tokens after TemperatureLogitsWarper, TopKLogitsWarper and TopPLogitsWarper.
std::vector<double> distribution(const GenerationOptions& options, std::vector<float> scores, int64_t least) {
  const auto size = static_cast<int64_t>(scores.size());
  for (float& score : scores) score /= static_cast<float>(options.temperature);
  std::vector<size_t> rising(scores.size());
  std::iota(rising.begin(), rising.end(), 0);
  std::sort(rising.begin(), rising.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  if (options.top_k > 0) {
    const int64_t k = std::min(std::max(options.top_k, least), size);
    const float lowest = scores[rising[static_cast<size_t>(size - k)]];
    for (float& score : scores) score = score < lowest ? kNever : score;
  }
  const auto softmax = [&] {
    std::vector<double> out(scores.size());
    const float highest = *std::max_element(scores.begin(), scores.end());
    for (size_t i = 0; i < scores.size(); ++i) out[i] = std::exp(static_cast<double>(scores[i] - highest));
    const double sum = std::accumulate(out.begin(), out.end(), 0.0);
    for (double& one : out) one /= sum;
    return out;
  };
  const std::vector<double> shares = softmax();
  if (options.top_p < 1) {
    double sum = 0;
    for (int64_t i = 0; i < size - least; ++i) {
      const size_t token = rising[static_cast<size_t>(i)];
      sum += shares[token];
      if (sum <= 1 - options.top_p) scores[token] = kNever;
    }
  }
  return softmax();
}

std::vector<double> distribution(const std::vector<Candidate>& candidates, size_t size) {
  std::vector<double> out(size);
  float highest = kNever;
  double sum = 0;
  for (const Candidate& one : candidates) highest = std::max(highest, one.score);
  for (const Candidate& one : candidates) sum += std::exp(static_cast<double>(one.score - highest));
  for (const Candidate& one : candidates) {
    out[static_cast<size_t>(one.token)] = std::exp(static_cast<double>(one.score - highest)) / sum;
  }
  return out;
}

TEST(GenerationChoice, SamplingIsThatOfTheRules) {
  for (const double temperature : {1.0, 0.3, 2.5}) {
    for (const int64_t top_k : {0, 1, 7, 400, 1000}) {
      for (const double top_p : {1.0, 0.9, 0.2, 1e-6}) {
        for (const int64_t least : {1, 3}) {
          GenerationOptions options;
          options.temperature = temperature;
          options.top_k = top_k;
          options.top_p = top_p;
          const std::vector<float> scores = random_scores(700, 5);
          const std::vector<double> expected = distribution(options, scores, least),
                                    found = distribution(sampling_candidates(options, scores, least), scores.size());
          for (size_t i = 0; i < scores.size(); ++i) {
            ASSERT_NEAR(found[i], expected[i], 1e-12)
                << "token " << i << ", top k " << top_k << ", top p " << top_p << ", least " << least;
          }
        }
      }
    }
  }
}

TEST(GenerationChoice, EqualScoresAtTheEdgeOfTopKStay) {
  GenerationOptions options;
  options.top_k = 2;
  const std::vector<float> scores = {1, 3, 2, 2, kNever, 2};
  EXPECT_EQ(sampling_candidates(options, scores, 1).size(), 4U);
  // What is forbidden is no candidate, whatever else there is.
  const std::vector<float> one = {kNever, 5, kNever};
  EXPECT_EQ(sampling_candidates(options, one, 2).size(), 1U);
}

// Chi-squared of 20,000 draws: 50 tokens, below the 99.9 % quantile of 49 degrees of freedom.
TEST(GenerationChoice, DrawsFollowTheDistribution) {
  constexpr int64_t kDraws = 20000, kTokens = 50;
  const GenerationOptions options;
  const std::vector<float> scores = random_scores(kTokens, 11, 1);
  const std::vector<Candidate> candidates = sampling_candidates(options, scores, 1);
  const std::vector<double> expected = distribution(options, scores, 1);
  for (const bool by_step : {true, false}) {
    std::vector<int64_t> counts(kTokens);
    for (int64_t i = 0; i < kDraws; ++i) ++counts[draw_token(candidates, {7, 3, by_step ? 0 : i, by_step ? i : 0})];
    double chi = 0;
    for (size_t i = 0; i < kTokens; ++i) {
      const double mean = expected[i] * kDraws;
      chi += (static_cast<double>(counts[i]) - mean) * (static_cast<double>(counts[i]) - mean) / mean;
    }
    EXPECT_LT(chi, 85.35);
    EXPECT_GT(chi, 20);
  }
}

TEST(GenerationChoice, BestCandidatesInFallingOrder) {
  const std::vector<float> scores = random_scores(500, 3);
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  const std::vector<Candidate> best = best_candidates(scores, 9);
  ASSERT_EQ(best.size(), 9U);
  for (size_t i = 0; i < best.size(); ++i) EXPECT_EQ(best[i].token, static_cast<int32_t>(order[i]));
  EXPECT_EQ(best_token(scores), best[0].token);
  const std::vector<float> equal = {1, 2, 2, 2};
  EXPECT_EQ(best_candidates(equal, 2)[0].token, 1);
  EXPECT_EQ(best_candidates(equal, 2)[1].token, 2);
  EXPECT_EQ(best_candidates(equal, 9).size(), 4U);
}

TEST(GenerationChoice, ForbiddenTokens) {
  GenerationOptions options;
  options.no_repeat_ngram = 2;
  options.ends = {1};
  options.least_tokens = 5;
  const auto forbidden = [&](const std::vector<int32_t>& ids) {
    std::vector<float> scores(10);
    forbid(options, ids, scores);
    std::vector<int> out;
    for (int i = 0; i < 10; ++i) {
      if (scores[static_cast<size_t>(i)] == kNever) out.push_back(i);
    }
    return out;
  };
  EXPECT_EQ(forbidden({0}), (std::vector<int>{1}));
  EXPECT_EQ(forbidden({0, 3, 4, 3}), (std::vector<int>{1, 4}));
  EXPECT_EQ(forbidden({0, 3, 4, 3, 5, 3}), (std::vector<int>{4, 5}));
  options.no_repeat_ngram = 1;
  EXPECT_EQ(forbidden({0, 3, 4, 3, 5, 3}), (std::vector<int>{0, 3, 4, 5}));
  options.no_repeat_ngram = 3;
  EXPECT_EQ(forbidden({0, 3, 4, 5, 6, 3, 4}), (std::vector<int>{5}));
}

// A prompt's beams by exhaustive search: with as many beams as there are sequences nothing is lost.
TEST(GenerationBeams, FindTheBestOfAllSequences) {
  constexpr int64_t kTokens = 3;  // 0 ends
  GenerationOptions options;
  options.ends = {0};
  options.most_tokens = 3;
  options.beams = 16;
  options.answers = 4;
  options.early_stopping = GenerationOptions::EarlyStopping::kNever;
  const auto next_scores = [](const std::vector<int32_t>& ids) {
    uint64_t seed = 17;
    for (const int32_t id : ids) seed = seed * 31 + static_cast<uint64_t>(id);
    const at::Tensor values = random_tensor({kTokens}, at::kFloat, seed, 2).log_softmax(0);
    return std::vector<float>(values.const_data_ptr<float>(), values.const_data_ptr<float>() + kTokens);
  };
  struct Found {
    std::vector<int32_t> ids;
    double score;
  };
  std::vector<Found> all;
  const std::function<void(std::vector<int32_t>, double)> visit = [&](std::vector<int32_t> ids, double score) {
    const auto written = static_cast<double>(ids.size() - 1);
    if (ids.size() > 1 && (ids.back() == 0 || written == 3)) {
      all.push_back({{ids.begin() + 1, ids.end()}, score / std::pow(written, 0.7)});
      return;
    }
    const std::vector<float> scores = next_scores(ids);
    for (int32_t token = 0; token < kTokens; ++token) {
      std::vector<int32_t> longer = ids;
      longer.push_back(token);
      visit(longer, score + scores[static_cast<size_t>(token)]);
    }
  };
  options.start = 2;
  options.length_penalty = 0.7;
  visit({2}, 0);
  std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.score > b.score; });

  Beams beams(options, 0);
  while (!beams.is_done()) {
    std::vector<float> scores;
    for (const Beams::Sequence& one : beams.running()) {
      const std::vector<float> next = next_scores(one.ids);
      scores.insert(scores.end(), next.begin(), next.end());
    }
    beams.step(scores);
  }
  const std::vector<std::vector<int32_t>> answers = beams.answers();
  ASSERT_EQ(answers.size(), 4U);
  for (size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i], all[i].ids) << i;
}

TEST(GenerationOptions, AreChecked) {
  const auto refused = [](const std::string& message, const std::function<void(GenerationOptions&)>& change) {
    GenerationOptions options;
    change(options);
    expect_error("ERR_INVALID_ARGUMENT", message, [&] { options.check(10); });
  };
  GenerationOptions().check(10);
  refused("start from 0 to 9, found 10", [](GenerationOptions& o) { o.start = 10; });
  refused("ends from 0 to 9, found -1", [](GenerationOptions& o) { o.ends = {1, -1}; });
  refused("temperature above 0, found 0", [](GenerationOptions& o) { o.temperature = 0; });
  refused("topP above 0 and at most 1, found 1.5", [](GenerationOptions& o) { o.top_p = 1.5; });
  refused("as many beams as the vocabulary has tokens, 10, found 11", [](GenerationOptions& o) { o.beams = 11; });
  refused("as many answers as beams, 2, found 3", [](GenerationOptions& o) { o.beams = 2, o.answers = 3; });
  refused("one answer without sampling and beams, found 3", [](GenerationOptions& o) { o.answers = 3; });
}

}  // namespace

}  // namespace st::test
