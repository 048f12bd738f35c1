#pragma once

#include <cstdint>

// Work on the words of a vocabulary, of which each row of tokens has one winning token: that with the highest logit.
namespace st::kernels {

struct Words {
  // Takes the logits of tokens, `stride` apart, into the highest of each word and the number of its token, that of the
  // first of equal ones. `first`: the number of the first token.
  void (*take_highest)(int64_t words, int64_t count, const float* logits, int64_t stride, int32_t first, float* best,
                       int32_t* winner);
  // Adds d times the winning token's x to the gradient of each word's weight, [words, width].
  void (*add_winners)(int64_t width, int64_t words, const float* d, const int32_t* winner, const float* x_TD,
                      float* d_weight);
  // Adds d times the word's weight to the gradient of each winning token.
  void (*add_to_winners)(int64_t width, int64_t words, const float* d, const int32_t* winner, const float* weight,
                         float* d_x_TD);
};

// The one for table()'s instruction set.
const Words& words();

}  // namespace st::kernels
