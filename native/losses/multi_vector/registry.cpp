#include <map>
#include <string>

#include "core/error.h"
#include "losses/multi_vector/multi_vector.h"

namespace st {

std::unique_ptr<Loss> make_multi_vector_loss(const Config& spec) {
  using Maker = std::unique_ptr<Loss> (*)(const Config&);
  static const std::map<std::string, Maker> losses = {
      {"MultiVectorDistillKLDivLoss", multi_vector::make_distill_kl_div},
      {"MultiVectorMarginMSELoss", multi_vector::make_margin_mse},
      {"MultiVectorMultipleNegativesRankingLoss", multi_vector::make_multiple_negatives_ranking},
  };
  const std::string name = spec.string("type").substr(std::string("MultiVector.").size());
  const auto found = losses.find(name);
  if (found != losses.end()) return found->second(spec);
  std::string known;
  for (const auto& [each, maker] : losses) known += (known.empty() ? "" : ", ") + each;
  fail("ERR_NOT_IMPLEMENTED", "Loss ", name, " of a multi-vector encoder is not built: expected ", known);
}

}  // namespace st
