#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "losses/cross_encoder/cross_encoder.h"
#include "losses/factories.h"
#include "losses/multi_vector/multi_vector.h"

namespace st {

namespace {

const std::map<std::string, LossFactory>& registry() {
  // One line each: clang-format would put them into columns.
  // clang-format off
  static const std::map<std::string, LossFactory> losses = {
      {"AdaptiveLayerLoss", make_adaptive_layer},
      {"AnglELoss", make_angle},
      {"BatchAllTripletLoss", make_batch_all_triplet},
      {"BatchHardSoftMarginTripletLoss", make_batch_hard_soft_margin_triplet},
      {"BatchHardTripletLoss", make_batch_hard_triplet},
      {"BatchSemiHardTripletLoss", make_batch_semi_hard_triplet},
      {"CoSENTLoss", make_cosent},
      {"ContrastiveLoss", make_contrastive},
      {"ContrastiveTensionLoss", make_contrastive_tension},
      {"ContrastiveTensionLossInBatchNegatives", make_contrastive_tension_in_batch},
      {"CosineSimilarityLoss", make_cosine_similarity},
      {"CSRLoss", make_csr},
      {"Custom", make_custom},
      {"GISTEmbedLoss", make_gist_embed},
      {"MatryoshkaLoss", make_matryoshka},
      {"DistillKLDivLoss", make_distill_kl_div},
      {"EmbedDistillLoss", make_embed_distill},
      {"GlobalOrthogonalRegularizationLoss", make_global_orthogonal_regularization},
      {"MSELoss", make_mse},
      {"MarginMSELoss", make_margin_mse},
      {"MegaBatchMarginLoss", make_mega_batch_margin},
      {"MultipleNegativesRankingLoss", make_multiple_negatives_ranking},
      {"OnlineContrastiveLoss", make_online_contrastive},
      {"DenoisingAutoEncoderLoss", make_denoising_auto_encoder},
      {"MaskedLanguageModelLoss", make_masked_language_model},
      {"SoftmaxLoss", make_softmax},
      {"SpladeLoss", make_splade},
      {"TokenCrossEntropy", make_token_cross_entropy},
      {"TripletLoss", make_triplet},
  };
  // clang-format on
  return losses;
}

}  // namespace

const LanguageModelMakers& LossLayout::language_models() const {
  check(makers != nullptr, "ERR_NOT_IMPLEMENTED", "There are no language models here for a loss to train");
  return *makers;
}

std::unique_ptr<Loss> make_loss(const Config& spec, int64_t embedding_width, LossLayout layout) {
  const std::string& type = spec.string("type");
  if (type.rfind("CrossEncoder.", 0) == 0) return make_cross_encoder_loss(spec, embedding_width, layout);
  if (type.rfind("MultiVector.", 0) == 0) return make_multi_vector_loss(spec);
  auto found = registry().find(type);
  if (found != registry().end()) return found->second(spec, embedding_width, layout);
  std::string known;
  for (const auto& [name, factory] : registry()) known += (known.empty() ? "" : ", ") + name;
  fail("ERR_NOT_IMPLEMENTED", "Loss ", type, " is not built: expected ", known);
}

void require_columns(const char* loss, const LossInput& input, int64_t least, int64_t most) {
  check(input.columns() >= least && input.columns() <= most, "ERR_INVALID_DATA", loss, " takes ", least,
        most == least ? "" : " or more", " text columns but the batch has ", input.columns());
}

void require_labels(const char* loss, const LossInput& input, bool integers) {
  check(input.labels.defined(), "ERR_INVALID_DATA", loss, " needs a label for each row, but the batch has none");
  check(input.labels.dim() == 1 && input.labels.size(0) == input.embeddings_CBD.size(1), "ERR_INVALID_DATA", loss,
        " needs ", input.embeddings_CBD.size(1), " labels, one for each row, but found ", input.labels.numel(),
        " of the shape ", input.labels.sizes());
  check(!integers || input.labels.scalar_type() == at::kLong, "ERR_INVALID_DATA", loss,
        " needs integer labels (an Int32Array)");
}

void require_classes(const char* loss, const LossInput& input, int64_t classes) {
  if (input.labels.defined() && input.labels.dim() == 2 && input.labels.is_floating_point()) {
    check(input.labels.sizes() == at::IntArrayRef({input.rows(), classes}), "ERR_INVALID_DATA", loss,
          " needs probabilities of the shape [", input.rows(), ", ", classes, "], one for each class, but found ",
          input.labels.sizes());
    return;
  }
  require_labels(loss, input, true);
  const auto in_range = [&](int64_t least, int64_t most) {
    check(least >= 0 && most < classes, "ERR_INVALID_DATA", loss, " has numLabels ", classes, ", so labels from 0 to ",
          classes - 1, ", but found ", least < 0 ? least : most);
  };
  // The batch's own labels are on the host, so no device has to be waited for.
  if (input.host_labels != nullptr) {
    const auto [least, most] = std::minmax_element(input.host_labels->begin(), input.host_labels->end());
    if (least != input.host_labels->end()) in_range(*least, *most);
  } else {
    in_range(input.labels.min().item<int64_t>(), input.labels.max().item<int64_t>());
  }
}

void require_options(const Config& spec, const std::vector<std::string>& names) {
  for (const auto& [name, value] : spec.object()) {
    check(name == "type" || std::find(names.begin(), names.end(), name) != names.end(), "ERR_UNKNOWN_OPTION",
          spec.string("type"), " has no option ", name);
  }
}

void initialize_linear(Parameters& parameters, ParamId weight, ParamId bias, int64_t inputs, uint64_t seed) {
  const double bound = 1 / std::sqrt(static_cast<double>(inputs));
  at::Generator generator = at::detail::createCPUGenerator(seed);
  for (ParamId id : {weight, bias}) at::Tensor(parameters.master(id)).uniform_(-bound, bound, generator);
}

}  // namespace st
