// Queries inside of training steps and of other encodes: who runs when, what cancels, and that no bit changes.
#include "binding/executor.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/yield.h"
#include "training.h"

namespace st::test {

using binding::Executor;
using binding::Job;
using binding::JobKind;
using binding::JobOwner;
using binding::Lane;

namespace {

// Submits jobs, and waits for them.
class Owner final : public JobOwner {
 public:
  Owner() { Executor::instance().attach(); }
  ~Owner() override {
    Executor::instance().cancel(this);
    Executor::instance().detach();
  }
  void finished(std::unique_ptr<Job> job) override {
    const std::lock_guard lock(mutex_);
    done_.push_back(std::move(job));
    changed_.notify_all();
  }
  void submit(std::function<void()> work, const JobKind& kind) {
    Executor::instance().submit(std::make_unique<Job>(this, std::move(work), kind));
  }
  std::unique_ptr<Job> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !done_.empty(); });
    std::unique_ptr<Job> job = std::move(done_.front());
    done_.pop_front();
    return job;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Job>> done_;
};

JobKind query(const void* engine) {
  return {.lane = Lane::kQuery, .engine = engine, .reads = true, .yields = true};
}
JobKind step(const void* engine) {
  return {.engine = engine, .yields = true};
}

const int engines[2] = {};

TEST(Yields, CallTheInnermostAndNotFromInside) {
  int outer = 0, inner = 0;
  yield_here();
  const std::function<void()> count_outer = [&] {
    ++outer;
    yield_here();
  };
  const std::function<void()> count_inner = [&] { ++inner; };
  {
    const Yields one(count_outer);
    yield_here();
    {
      const Yields two(count_inner);
      yield_here();
      const NoYields none;
      yield_here();
    }
    yield_here();
  }
  yield_here();
  EXPECT_EQ(outer, 2);
  EXPECT_EQ(inner, 1);
}

TEST(Yields, AreThereAgainAfterAnException) {
  int calls = 0;
  const std::function<void()> fails = [&] {
    ++calls;
    throw std::runtime_error("on purpose");
  };
  const Yields here(fails);
  EXPECT_THROW(yield_here(), std::runtime_error);
  EXPECT_THROW(yield_here(), std::runtime_error);
  EXPECT_EQ(calls, 2);
}

TEST(Executor, AQueryRunsAndIsReportedInsideOfAStep) {
  Owner owner;
  std::vector<std::string> order;
  owner.submit(
      [&] {
        order.emplace_back("begin");
        owner.submit([&] { order.emplace_back("query"); }, query(&engines[1]));
        owner.submit([&] { order.emplace_back("own query"); }, query(&engines[0]));
        for (int i = 0; i < 3; ++i) yield_here();
        order.emplace_back("end");
      },
      step(&engines[0]));
  const auto first = owner.next();
  EXPECT_EQ(first->kind().engine, &engines[1]);
  owner.next();
  owner.next();
  EXPECT_EQ(order, (std::vector<std::string>{"begin", "query", "end", "own query"}));
}

TEST(Executor, NothingRunsInsideOfAQueryOrOfAJobThatDoesNotYield) {
  Owner owner;
  std::vector<std::string> order;
  for (const JobKind& kind : {query(&engines[0]), JobKind{}}) {
    order.clear();
    owner.submit(
        [&] {
          owner.submit(
              [&] {
                order.emplace_back("outer");
                owner.submit([&] { order.emplace_back("inner"); }, query(&engines[1]));
                yield_here();
                order.emplace_back("outer ends");
              },
              kind);
          yield_here();
        },
        step(&engines[1]));
    for (int i = 0; i < 3; ++i) owner.next();
    EXPECT_EQ(order, (std::vector<std::string>{"outer", "outer ends", "inner"}));
  }
}

TEST(Executor, NothingRunsInsideOfAQueryThatIsTheOuterJob) {
  Owner owner;
  std::vector<std::string> order;
  owner.submit(
      [&] {
        order.emplace_back("outer");
        owner.submit([&] { order.emplace_back("inner"); }, query(&engines[1]));
        yield_here();
        order.emplace_back("outer ends");
      },
      query(&engines[0]));
  owner.next();
  owner.next();
  EXPECT_EQ(order, (std::vector<std::string>{"outer", "outer ends", "inner"}));
}

TEST(Executor, AFailureInsideIsThatOfTheQueryAlone) {
  Owner owner;
  owner.submit(
      [&] {
        owner.submit([] { fail("ERR_INVALID_DATA", "on purpose"); }, query(&engines[1]));
        yield_here();
      },
      step(&engines[0]));
  const auto inside = owner.next(), outside = owner.next();
  ASSERT_TRUE(inside->failure().has_value());
  EXPECT_EQ(inside->failure()->code, "ERR_INVALID_DATA");
  EXPECT_FALSE(outside->failure().has_value());
}

TEST(Executor, DroppedAndCancelledJobsDoNotRunAndFreeWhatTheyHold) {
  Owner owner, other;
  std::mutex gate;
  gate.lock();
  std::atomic<bool> has_begun = false;
  owner.submit(
      [&] {
        has_begun = true;
        const std::lock_guard wait(gate);
      },
      {});
  // Queries would go first otherwise.
  while (!has_begun) std::this_thread::yield();
  bool ran = false;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> seen = held;
  JobKind kind = query(&engines[0]);
  kind.ticket = 5;
  other.submit([&ran, held = std::move(held)] { ran = true; }, kind);
  other.submit([&ran] { ran = true; }, query(&engines[0]));
  EXPECT_TRUE(Executor::instance().drop(&owner, 5).empty());
  EXPECT_EQ(Executor::instance().drop(&other, 5).size(), 1U);
  EXPECT_EQ(Executor::instance().cancel(&other).size(), 1U);
  gate.unlock();
  owner.next();
  owner.submit([] {}, {});
  owner.next();
  EXPECT_FALSE(ran);
  EXPECT_TRUE(seen.expired());
}

TEST(Executor, CancelWaitsForAJobThatHasAnotherOwnersInsideIt) {
  auto owner = std::make_unique<Owner>();
  Owner other;
  std::mutex gate;
  gate.lock();
  bool ended = false;
  owner->submit(
      [&] {
        yield_here();
        ended = true;
      },
      step(&engines[0]));
  other.submit([&] { const std::lock_guard wait(gate); }, query(&engines[1]));
  gate.unlock();
  owner->next();
  owner.reset();
  EXPECT_TRUE(ended);
  other.next();
}

// ------------------------------------------------------------------------------------------------------ no bit changes

// Trains, with a query at every yield if `with`, and returns everything that training has made.
Weights trained(const Config& loss, const PackedBatch& batch, const std::string& precision, bool with, int* queries) {
  Owner owner;
  const auto encoder = encoder_of("float32", {{"hidden_dropout_prob", 0.2}}), other = encoder_of();
  TrainerSpec spec = spec_of(loss);
  spec.precision = precision;
  const auto trainer = std::make_shared<Trainer>(encoder, spec);
  const PackedBatch text = batch_of({4, 1, 9});
  std::vector<float> out(18), expected(18);
  other->encode(text, EncoderOutput::kSentenceEmbedding, expected.data(), 18);
  int ran = 0;
  const std::function<void()> ask = [&] {
    other->encode(text, EncoderOutput::kSentenceEmbedding, out.data(), 18);
    EXPECT_EQ(out, expected);
    ++ran;
  };
  const std::function<void()> nothing = [] {};
  for (int i = 0; i < 4; ++i) {
    owner.submit(
        [&] {
          const Yields here(with ? ask : nothing);
          trainer->step(batch, {.rates = {1e-2}, .mini_batch_rows = i == 2 ? 3 : 0});
        },
        step(encoder.get()));
    const auto job = owner.next();
    EXPECT_FALSE(job->failure().has_value()) << job->failure()->message;
  }
  *queries = ran;
  Weights all = dump_weights(*trainer);
  for (auto& [name, values] : dump_weights(*encoder)) all[name] = values;
  return all;
}

TEST(Executor, QueriesBetweenTheLayersOfStepsChangeNoBitOfThem) {
  for (const char* type : {"CosineSimilarityLoss", "CoSENTLoss"}) {
    for (const char* precision : {"float32", "bfloat16"}) {
      int none = 0, some = 0;
      const Weights alone = trained(loss_of(type), scored_batch(), precision, false, &none);
      const Weights beside = trained(loss_of(type), scored_batch(), precision, true, &some);
      EXPECT_EQ(none, 0);
      EXPECT_GT(some, 60);
      EXPECT_TRUE(alone == beside) << type << ", " << precision;
    }
  }
}

TEST(Executor, QueriesInsideOfAnEncodeOfTheSameModelChangeNoBitOfEither) {
  const auto encoder = encoder_of();
  std::vector<int> lengths(400, 9);
  const PackedBatch bulk = batch_of(lengths), text = batch_of({4, 1, 9});
  std::vector<float> alone(2400), beside(2400), expected(18), out(18);
  encoder->encode(bulk, EncoderOutput::kSentenceEmbedding, alone.data(), 2400);
  encoder->encode(text, EncoderOutput::kSentenceEmbedding, expected.data(), 18);
  int ran = 0;
  const std::function<void()> ask = [&] {
    encoder->encode(text, EncoderOutput::kSentenceEmbedding, out.data(), 18);
    EXPECT_EQ(out, expected);
    ++ran;
  };
  const Yields here(ask);
  encoder->encode(bulk, EncoderOutput::kSentenceEmbedding, beside.data(), 2400);
  EXPECT_EQ(alone, beside);
  EXPECT_GT(ran, 20);
}

}  // namespace
}  // namespace st::test
