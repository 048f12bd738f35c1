#include <map>

#include "core/error.h"
#include "losses/cross_encoder/cross_encoder.h"

namespace st {

namespace {

const std::map<std::string, LossFactory>& registry() {
  static const std::map<std::string, LossFactory> losses = {
      {"CrossEncoder.ADRMSELoss", make_ce_adr_mse},
      {"CrossEncoder.BinaryCrossEntropyLoss", make_ce_binary_cross_entropy},
      {"CrossEncoder.CrossEntropyLoss", make_ce_cross_entropy},
      {"CrossEncoder.LambdaLoss", make_ce_lambda},
      {"CrossEncoder.ListMLELoss", make_ce_list_mle},
      {"CrossEncoder.ListNetLoss", make_ce_list_net},
      {"CrossEncoder.MSELoss", make_ce_mse},
      {"CrossEncoder.MarginMSELoss", make_ce_margin_mse},
      {"CrossEncoder.MultipleNegativesRankingLoss", make_ce_multiple_negatives_ranking},
      {"CrossEncoder.PListMLELoss", make_ce_plist_mle},
      {"CrossEncoder.RankNetLoss", make_ce_rank_net},
  };
  return losses;
}

}  // namespace

std::unique_ptr<Loss> make_cross_encoder_loss(const Config& spec, int64_t labels, LossLayout layout) {
  const std::string& type = spec.string("type");
  auto found = registry().find(type);
  if (found != registry().end()) return found->second(spec, labels, std::move(layout));
  std::string known;
  for (const auto& [name, factory] : registry()) known += (known.empty() ? "" : ", ") + name;
  fail("ERR_NOT_IMPLEMENTED", "Loss ", type, " is not built: expected ", known);
}

}  // namespace st
