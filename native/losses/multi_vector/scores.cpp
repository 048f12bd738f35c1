#include "core/error.h"
#include "losses/multi_vector/multi_vector.h"

namespace st::multi_vector {

MaxSim parse_scores(const Config& spec) {
  const std::string name = spec.string("scores", "maxsim");
  check(name == "maxsim" || name == "meanmaxsim" || name == "xtr", "ERR_INVALID_ARGUMENT",
        "Expected maxsim, meanmaxsim or xtr for scores but found ", name);
  MaxSim out{.mean = name == "meanmaxsim"};
  if (name == "xtr") {
    out.top_k = spec.integer("topK", 256);
    check(out.top_k >= 1, "ERR_INVALID_ARGUMENT", "Expected at least 1 for topK but found ", out.top_k);
  }
  return out;
}

TokenVectors column(const LossInput& input, int64_t index) {
  return columns(input, index, index + 1);
}

TokenVectors columns(const LossInput& input, int64_t first, int64_t end) {
  return TokenVectors{input.vectors_TD, input.vector_offsets}.slice(first * input.rows(), end * input.rows());
}

}  // namespace st::multi_vector
