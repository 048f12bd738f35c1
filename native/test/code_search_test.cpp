// Candidates by few bits against brute force.
#include "engine/code_search.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <random>

#include "support.h"

namespace st::test {

namespace {

template <typename Score>
std::vector<int32_t> brute_force(int64_t count, int64_t k, const Score& score) {
  std::vector<int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return score(a) > score(b); });
  order.resize(k);
  return order;
}

TEST(NearestBits, RandomCodesWithManyTiesAgainstBruteForce) {
  std::mt19937_64 random(1);
  for (const int64_t words : {1, 6, 13}) {
    const int64_t count = 9001, queries = 3;
    std::vector<uint64_t> codes(count * words), asked(queries * words);
    for (uint64_t& word : codes) word = random();
    for (uint64_t& word : asked) word = random();
    for (const int64_t k : {int64_t{1}, int64_t{100}, count}) {
      std::vector<int32_t> found(queries * k);
      nearest_bits(reinterpret_cast<uint8_t*>(asked.data()), queries, reinterpret_cast<uint8_t*>(codes.data()), count,
                   words * 8, k, found.data());
      for (int64_t q = 0; q < queries; ++q) {
        const auto expected = brute_force(count, k, [&](int32_t r) {
          int bits = 0;
          for (int64_t w = 0; w < words; ++w) bits += std::popcount(asked[q * words + w] ^ codes[r * words + w]);
          return -bits;
        });
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), found.begin() + q * k)) << words << ", " << k;
      }
    }
  }
}

TEST(NearestBytes, RandomCodesAgainstBruteForce) {
  std::mt19937 random(2);
  for (const int64_t dim : {3, 64, 133}) {
    const int64_t count = 5000, queries = 2, k = 50;
    std::vector<int8_t> codes(count * dim);
    std::vector<float> asked(queries * dim), factors(count);
    for (int8_t& code : codes) code = static_cast<int8_t>(random() % 256 - 128);
    // Whole numbers, whose sums are exact in any order.
    for (float& value : asked) value = static_cast<float>(static_cast<int>(random() % 21) - 10);
    for (float& factor : factors) factor = 0.25F * static_cast<float>(1 + random() % 3);
    std::vector<int32_t> found(queries * k);
    nearest_bytes(asked.data(), queries, codes.data(), factors.data(), count, dim, k, found.data());
    for (int64_t q = 0; q < queries; ++q) {
      const auto expected = brute_force(count, k, [&](int32_t r) {
        double sum = 0;
        for (int64_t d = 0; d < dim; ++d) sum += asked[q * dim + d] * codes[r * dim + d];
        return sum * factors[r];
      });
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), found.begin() + q * k)) << dim;
    }
  }
}

TEST(NearestBits, RefusesSizesThatDoNotFit) {
  uint64_t code = 0;
  int32_t index = 0;
  auto* bytes = reinterpret_cast<uint8_t*>(&code);
  expect_error("ERR_INVALID_ARGUMENT", "multiple of 8", [&] { nearest_bits(bytes, 1, bytes, 1, 4, 1, &index); });
  expect_error("ERR_INVALID_ARGUMENT", "k from 0 to 1", [&] { nearest_bits(bytes, 1, bytes, 1, 8, 2, &index); });
}

}  // namespace

}  // namespace st::test
