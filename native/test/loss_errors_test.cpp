// Batches and options that a loss refuses.
#include "loss_cases.h"

namespace st::test {

namespace {

TEST(Losses, BatchesThatDoNotFitAreRefused) {
  const at::Tensor two = random_tensor({2, kRows, kWidth}, at::kDouble, 1),
                   three = random_tensor({3, kRows, kWidth}, at::kDouble, 1);
  const at::Tensor numbers = scores(2), labels = classes(2);
  const auto refused = [](const std::string& type, const std::string& message, const at::Tensor& embeddings,
                          const at::Tensor& given) {
    const Config::Object options = type == "SoftmaxLoss" ? Config::Object{{"numLabels", 3.0}} : Config::Object{};
    expect_error("ERR_INVALID_DATA", message, [&] { LossFixture(type, options).value(embeddings, given); });
  };
  refused("MultipleNegativesRankingLoss", "takes 2 or more text columns but the batch has 1", two.narrow(0, 0, 1), {});
  refused("MarginMSELoss", "takes 3 or more text columns but the batch has 2", two, numbers);
  refused("MarginMSELoss", "needs 5 labels of 1 margins or of 2 scores", three, numbers.unsqueeze(1).repeat({1, 3}));
  refused("MarginMSELoss", "needs a label for each row", three, {});
  refused("DistillKLDivLoss", "needs 5 labels of 2 scores, one for each candidate, but found the shape [5]", three,
          numbers);
  refused("EmbedDistillLoss", "labels of the shape [5, 6] or [5, 2, 6], embeddings of a teacher, but found [5]", two,
          numbers);
  refused("MSELoss", "but found [5, 4]; projectionDim is for a teacher of another width", two,
          numbers.unsqueeze(1).repeat({1, 4}));
  refused("MSELoss", "needs a teacher's embedding as label of each row", two, {});
  refused("MegaBatchMarginLoss", "takes 2 text columns but the batch has 3", three, {});
  refused("TripletLoss", "takes 3 text columns but the batch has 2", two, {});
  refused("AnglELoss", "needs a label for each row, but the batch has none", two, {});
  refused("BatchAllTripletLoss", "takes 1 text columns but the batch has 2", two, labels);
  refused("BatchAllTripletLoss", "needs integer labels", two.narrow(0, 0, 1), numbers);
  for (const char* type :
       {"CoSENTLoss", "CosineSimilarityLoss", "SoftmaxLoss", "ContrastiveLoss", "OnlineContrastiveLoss"}) {
    refused(type, "takes 2 text columns but the batch has 3", three, labels);
    refused(type, "needs a label for each row, but the batch has none", two, {});
    refused(type, "needs 5 labels, one for each row, but found 4", two, labels.narrow(0, 0, 4));
    refused(type, "needs 5 labels, one for each row, but found 5 of the shape [5, 1]", two, labels.unsqueeze(1));
  }
  refused("SoftmaxLoss", "needs integer labels", two, numbers);
  refused("SoftmaxLoss", "needs probabilities of the shape [5, 3], one for each class, but found [5, 2]", two,
          random_tensor({kRows, 2}, at::kDouble, 1));
  refused("SoftmaxLoss", "labels from 0 to 2, but found 3", two, labels + 1);
  refused("SoftmaxLoss", "labels from 0 to 2, but found -1", two, labels - 1);
}

TEST(Losses, OptionsThatAreNotKnownAreRefused) {
  for (const LossCase& c : loss_cases()) {
    Config::Object options = c.options;
    options["scales"] = 1.0;
    expect_error("ERR_UNKNOWN_OPTION", c.type + " has no option scales", [&] { LossFixture(c.type, options); });
  }
  const std::string mnr = "MultipleNegativesRankingLoss";
  expect_error("ERR_INVALID_ARGUMENT", "cosine or dot for similarity but found l2",
               [&] { LossFixture(mnr, {{"similarity", text("l2")}}); });
  for (const char* type : {"TripletLoss", "ContrastiveLoss", "OnlineContrastiveLoss", "BatchHardTripletLoss"}) {
    expect_error("ERR_INVALID_ARGUMENT", "for distanceMetric but found l3",
                 [&] { LossFixture(type, {{"distanceMetric", text("l3")}}); });
  }
  expect_error("ERR_INVALID_ARGUMENT", "for similarity but found l3",
               [] { LossFixture("CoSENTLoss", {{"similarity", text("l3")}}); });
  expect_error("ERR_INVALID_ARGUMENT", "for distanceMetric but found l3",
               [] { LossFixture("EmbedDistillLoss", {{"distanceMetric", text("l3")}}); });
  expect_error("ERR_INVALID_ARGUMENT", "at least 1 for projectionDim but found 0",
               [] { LossFixture("MSELoss", {{"projectionDim", 0.0}}); });
  expect_error("ERR_INVALID_ARGUMENT", "positive temperatures but found 0",
               [] { LossFixture("DistillKLDivLoss", {{"studentTemperature", 0.0}}); });
  expect_error("ERR_INVALID_ARGUMENT", "must differ from 0", [] {
    LossFixture("GlobalOrthogonalRegularizationLoss", {{"meanWeight", 0.0}, {"secondMomentWeight", 0.0}});
  });
  expect_error("ERR_NOT_IMPLEMENTED", "cosScoreTransformation is not built",
               [] { LossFixture("CosineSimilarityLoss", {{"cosScoreTransformation", text("cube")}}); });
  const auto held = [](const std::string& type) {
    return Config::Object{{"type", text(type)},
                          {"documentRegularizerWeight", 1.0},
                          {"loss", Config::Object{{"type", text("TripletLoss")}}}};
  };
  expect_error("ERR_INVALID_ARGUMENT", "cannot hold another SpladeLoss",
               [&] { LossFixture("SpladeLoss", {{"loss", held("SpladeLoss")}, {"documentRegularizerWeight", 1.0}}); });
  expect_error("ERR_INVALID_ARGUMENT", "CSRLoss cannot hold SpladeLoss",
               [&] { LossFixture("CSRLoss", {{"loss", held("SpladeLoss")}}); });
  expect_error("ERR_INVALID_ARGUMENT", "numLabels", [] { LossFixture("SoftmaxLoss", {}); });
  expect_error("ERR_INVALID_ARGUMENT", "at least 1 for numLabels but found 0",
               [] { LossFixture("SoftmaxLoss", {{"numLabels", 0.0}}); });
  expect_error("ERR_INVALID_ARGUMENT", "at least one of its three concatenations", [] {
    LossFixture("SoftmaxLoss",
                {{"numLabels", 2.0}, {"concatenationSentRep", false}, {"concatenationSentDifference", false}});
  });
}

}  // namespace

}  // namespace st::test
