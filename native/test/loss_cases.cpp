#include "loss_cases.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

namespace st::test {

at::Tensor scores(int64_t) {
  return random_tensor({kRows}, at::kDouble, 3);
}

at::Tensor classes(int64_t) {
  at::Tensor out = at::empty({kRows}, at::kLong);
  for (int64_t row = 0; row < kRows; ++row) out.data_ptr<int64_t>()[row] = (2 * row + 1) % 3;
  return out;
}

namespace {

at::Tensor none(int64_t) {
  return {};
}

at::Tensor classes_of_two(int64_t columns) {
  return classes(columns).remainder(2);
}

// Three texts in all, so that most are there more than once.
void few_texts(LossInput& input) {
  input.text_ids_CB = at::arange(input.columns() * input.rows(), at::kLong).view({input.columns(), -1}).remainder(3);
}

// 1, 0, 0, 1, 0
at::Tensor binary(int64_t columns) {
  return (classes(columns) == 1).to(at::kDouble);
}

void guide(LossInput& input) {
  input.guide_CBG = random_tensor({input.columns(), input.rows(), 4}, at::kFloat, 7);
}

// What goes into a model of two layers, and what comes out of each.
void layers(LossInput& input) {
  const at::Tensor& x_CBD = input.embeddings_CBD;
  input.layers_CBD = {x_CBD.sin(), x_CBD * x_CBD - 0.5, x_CBD};
}

// The same under a last layer that does not depend on what is differentiated: a teacher gets no gradient.
void layers_below(LossInput& input) {
  const at::Tensor x_CBD = input.embeddings_CBD;
  input.embeddings_CBD = random_tensor(x_CBD.sizes(), at::kDouble, 8);
  input.layers_CBD = {x_CBD.sin(), x_CBD * x_CBD - 0.5, input.embeddings_CBD};
}

// What a SparseAutoEncoder makes again, with latents at rest and without.
void reconstruction(LossInput& input) {
  const at::Tensor& x_CBD = input.embeddings_CBD;
  input.reconstruction_CBPD = at::stack({x_CBD, x_CBD.sin(), x_CBD * x_CBD - 0.5, x_CBD.cos(), x_CBD.sin() * 2}, 2);
}
void reconstruction_without_rest(LossInput& input) {
  reconstruction(input);
  input.reconstruction_CBPD = input.reconstruction_CBPD.narrow(2, 0, 3);
}

Config inner(const std::string& type, Config::Object options = {}) {
  options["type"] = text(type);
  return options;
}

Config numbers(const std::vector<double>& values) {
  return Config::Array(values.begin(), values.end());
}

// [rows, columns + more] or, with a width, [rows, width].
Labels tables(int64_t more, int64_t width) {
  return [=](int64_t columns) { return random_tensor({kRows, width > 0 ? width : columns + more}, at::kDouble, 4); };
}

// Of three classes.
at::Tensor probabilities(int64_t) {
  return random_tensor({kRows, 3}, at::kDouble, 5, 2).softmax(1);
}

}  // namespace

// A new loss gets its line here: Losses.RegistryIsCovered fails without it.
const std::vector<LossCase>& loss_cases() {
  static const std::vector<LossCase> cases = {
      {"AnglELoss", {{"scale", 3.0}}, scores, {2, 3, 4}},
      {"AnglELoss", {{"scale", 3.0}}, none, {3}},
      {"BatchAllTripletLoss", {}, classes, {1}},
      {"BatchAllTripletLoss", {{"distanceMetric", text("cosine")}, {"margin", 0.5}}, classes, {1}},
      {"BatchHardSoftMarginTripletLoss", {}, classes, {1}},
      {"BatchHardTripletLoss", {}, classes, {1}},
      {"BatchHardTripletLoss", {{"distanceMetric", text("cosine")}, {"margin", 1.0}}, classes, {1}},
      {"BatchSemiHardTripletLoss", {}, classes, {1}},
      {"BatchSemiHardTripletLoss", {{"distanceMetric", text("cosine")}, {"margin", 0.5}}, classes, {1}},
      {"CoSENTLoss", {}, scores, {2}},
      {"CoSENTLoss", {{"scale", 3.0}}, classes, {2}},
      {"CoSENTLoss", {{"similarity", text("dot")}}, scores, {2}},
      {"CoSENTLoss", {{"similarity", text("euclidean")}, {"scale", 1.0}}, scores, {2}},
      {"CoSENTLoss", {{"similarity", text("manhattan")}, {"scale", 1.0}}, scores, {2}},
      {"ContrastiveLoss", {{"margin", 2.0}}, binary, {2}},
      {"ContrastiveLoss", {{"distanceMetric", text("euclidean")}, {"margin", 3.0}}, binary, {2}},
      {"ContrastiveLoss", {{"distanceMetric", text("manhattan")}, {"sizeAverage", false}}, scores, {2}},
      {"CosineSimilarityLoss", {}, scores, {2}},
      {"CosineSimilarityLoss", {{"cosScoreTransformation", text("sigmoid")}}, scores, {2}},
      {"DistillKLDivLoss", {}, tables(-1, 0), {3, 4}},
      {"DistillKLDivLoss",
       {{"similarity", text("cosine")}, {"studentTemperature", 0.5}, {"teacherTemperature", 3.0}},
       tables(-1, 0),
       {3}},
      {"EmbedDistillLoss", {}, tables(0, kWidth), {1, 2, 3}},
      {"EmbedDistillLoss", {{"distanceMetric", text("l2")}}, tables(0, kWidth), {2}},
      {"EmbedDistillLoss", {{"distanceMetric", text("l2")}, {"projectionDim", 4.0}}, tables(0, 4), {1, 2}},
      {"GlobalOrthogonalRegularizationLoss", {}, none, {1, 2, 3}},
      {"GlobalOrthogonalRegularizationLoss",
       {{"similarity", text("dot")}, {"meanWeight", 0.0}, {"aggregation", text("sum")}},
       none,
       {2}},
      {"MSELoss", {}, tables(0, kWidth), {1, 2}},
      {"MSELoss", {{"projectionDim", 7.0}}, tables(0, 7), {2}},
      {"MarginMSELoss", {}, scores, {3}},
      {"MarginMSELoss", {}, tables(-1, 0), {3, 5}},
      {"MarginMSELoss", {{"similarity", text("cosine")}}, tables(-2, 0), {3, 4}},
      {"MegaBatchMarginLoss", {}, none, {2}},
      {"MultipleNegativesRankingLoss", {}, none, {2, 3, 4, 5}},
      {"MultipleNegativesRankingLoss", {{"scale", 1.0}, {"similarity", text("dot")}}, none, {2, 3}},
      {"MultipleNegativesRankingLoss",
       {{"scale", 5.0},
        {"directions", texts({"query_to_doc", "doc_to_query"})},
        {"partitionMode", text("per_direction")}},
       none,
       {2, 4}},
      {"MultipleNegativesRankingLoss",
       {{"scale", 5.0},
        {"directions", texts({"query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"})},
        {"maskDuplicates", true},
        {"falseNegativeMargin", 0.1}},
       none,
       {2, 3, 4},
       few_texts},
      {"OnlineContrastiveLoss", {{"margin", 2.0}}, binary, {2}},
      {"OnlineContrastiveLoss", {{"distanceMetric", text("euclidean")}, {"margin", 3.0}}, binary, {2}},
      {"ContrastiveTensionLoss", {}, classes_of_two, {2}},
      {"ContrastiveTensionLoss", {}, none, {2}, few_texts},
      {"ContrastiveTensionLossInBatchNegatives", {{"scale", 3.0}}, none, {2}},
      {"ContrastiveTensionLossInBatchNegatives", {{"scale", 1.0}, {"similarity", text("dot")}}, none, {2}},
      {"GISTEmbedLoss", {{"temperature", 0.5}}, none, {2, 3, 4}, guide},
      {"GISTEmbedLoss",
       {{"temperature", 0.5},
        {"marginStrategy", text("relative")},
        {"margin", 0.2},
        {"contrastAnchors", false},
        {"contrastPositives", false}},
       none,
       {2, 3},
       guide},
      {"AdaptiveLayerLoss",
       {{"loss", inner("MultipleNegativesRankingLoss", {{"scale", 3.0}})},
        {"nLayersPerStep", -1.0},
        {"klTemperature", 0.0},
        {"layerWeighting", text("log")}},
       none,
       {2, 3},
       layers},
      {"AdaptiveLayerLoss",
       {{"loss", inner("SoftmaxLoss", {{"numLabels", 3.0}})}, {"klTemperature", 1.0}, {"klDivWeight", 2.0}},
       classes,
       {2},
       layers_below},
      {"AdaptiveLayerLoss",
       {{"loss", inner("MatryoshkaLoss",
                       {{"loss", inner("CoSENTLoss", {{"scale", 3.0}})}, {"matryoshkaDims", numbers({6, 3})}})},
        {"klTemperature", 0.0},
        {"nLayersPerStep", 1.0}},
       scores,
       {2},
       layers},
      {"MatryoshkaLoss",
       {{"loss", inner("MultipleNegativesRankingLoss", {{"scale", 3.0}})},
        {"matryoshkaDims", numbers({2, 6, 4})},
        {"matryoshkaWeights", numbers({1, 0.5, 2})}},
       none,
       {2, 3}},
      {"MatryoshkaLoss",
       {{"loss", inner("GISTEmbedLoss", {{"temperature", 0.5}})},
        {"matryoshkaDims", numbers({1, 5})},
        {"nDimsPerStep", 1.0}},
       none,
       {3},
       guide},
      {"SpladeLoss",
       {{"loss", inner("MultipleNegativesRankingLoss", {{"scale", 1.0}, {"similarity", text("dot")}})},
        {"documentRegularizerWeight", 0.3},
        {"queryRegularizerWeight", 0.7}},
       none,
       {2, 3}},
      {"SpladeLoss",
       {{"loss", inner("CoSENTLoss", {{"scale", 3.0}})},
        {"documentRegularizerWeight", 0.3},
        {"useDocumentRegularizerOnly", true}},
       scores,
       {2}},
      {"SpladeLoss",
       {{"loss", inner("TripletLoss")},
        {"documentRegularizerWeight", 0.3},
        {"documentRegularizerThreshold", 5.0},
        {"queryRegularizerWeight", 0.7},
        {"queryRegularizerThreshold", 6.0}},
       none,
       {3}},
      {"CSRLoss",
       {{"loss", inner("MultipleNegativesRankingLoss", {{"scale", 1.0}, {"similarity", text("dot")}})},
        {"beta", 0.3},
        {"gamma", 0.7}},
       none,
       {2, 3},
       reconstruction},
      {"CSRLoss", {{"loss", inner("CoSENTLoss", {{"scale", 3.0}})}}, scores, {2}, reconstruction_without_rest},
      {"SoftmaxLoss", {{"numLabels", 3.0}}, classes, {2}},
      {"SoftmaxLoss", {{"numLabels", 3.0}}, probabilities, {2}},
      {"SoftmaxLoss",
       {{"numLabels", 3.0}, {"concatenationSentRep", false}, {"concatenationSentMultiplication", true}},
       classes,
       {2}},
      {"MatryoshkaLoss",
       {{"loss", inner("MSELoss")}, {"matryoshkaDims", numbers({6, 2})}},
       [](int64_t columns) { return random_tensor({kRows, columns, kWidth}, at::kDouble, 4); },
       {2}},
      {"TripletLoss", {}, none, {3}},
      {"TripletLoss", {{"distanceMetric", text("cosine")}, {"tripletMargin", 1.0}}, none, {3}},
      {"TripletLoss", {{"distanceMetric", text("manhattan")}}, none, {3}},
  };
  return cases;
}

}  // namespace st::test
