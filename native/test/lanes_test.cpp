// Which job is next, and which may run inside of another.
#include "binding/lanes.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace st::test {

using binding::Job;
using binding::JobKind;
using binding::Lane;
using binding::Lanes;

namespace {

const int first_engine = 0, second_engine = 0;
const void *const kOne = &first_engine, *const kTwo = &second_engine;

JobKind step(const void* engine) {
  return {.engine = engine, .yields = true};
}
JobKind change(const void* engine) {
  return {.engine = engine};
}
JobKind encode(const void* engine) {
  return {.engine = engine, .reads = true, .yields = true};
}
JobKind query(const void* engine) {
  return {.lane = Lane::kQuery, .engine = engine, .reads = true};
}

// Jobs with names; running one notes its name.
struct Named {
  Lanes lanes;
  std::vector<std::string> ran;

  std::unique_ptr<Job> make(const std::string& name, const JobKind& kind) {
    return std::make_unique<Job>(nullptr, [this, name] { ran.push_back(name); }, kind);
  }
  void push(const std::string& name, const JobKind& kind) { lanes.push(make(name, kind)); }
  std::string run(const std::unique_ptr<Job>& job) {
    if (job == nullptr) return "none";
    job->run([] {});
    return ran.back();
  }
  std::vector<std::string> all() {
    while (!lanes.empty()) run(lanes.next());
    return ran;
  }
};

using Names = std::vector<std::string>;

TEST(Lanes, BulkJobsAreFirstInFirstOut) {
  Named jobs;
  jobs.push("step", step(kOne));
  jobs.push("search", {});
  jobs.push("encode", encode(kTwo));
  jobs.push("dispose", change(kTwo));
  EXPECT_EQ(jobs.all(), (Names{"step", "search", "encode", "dispose"}));
}

TEST(Lanes, AQueryOvertakesBulkJobs) {
  Named jobs;
  jobs.push("step", step(kOne));
  jobs.push("encode", encode(kTwo));
  jobs.push("query", query(kTwo));
  EXPECT_EQ(jobs.all(), (Names{"query", "step", "encode"}));
}

TEST(Lanes, AQueryOvertakesNoEarlierChangeOfItsEngine) {
  Named jobs;
  jobs.push("load", change(kOne));
  jobs.push("query of one", query(kOne));
  jobs.push("query of two", query(kTwo));
  EXPECT_EQ(jobs.all(), (Names{"query of two", "load", "query of one"}));
}

TEST(Lanes, NoChangeOvertakesAnEarlierQueryOfItsEngine) {
  Named jobs;
  jobs.push("first", query(kOne));
  jobs.push("second", query(kOne));
  jobs.push("dispose", change(kOne));
  // Not even when it is the turn of bulk jobs.
  EXPECT_EQ(jobs.all(), (Names{"first", "second", "dispose"}));
}

TEST(Lanes, QueriesWithoutEndLeaveTurnsToBulkJobs) {
  Named jobs;
  jobs.push("step 1", step(kOne));
  jobs.push("step 2", step(kOne));
  for (const char* name : {"a", "b", "c"}) jobs.push(name, query(kTwo));
  EXPECT_EQ(jobs.all(), (Names{"a", "step 1", "b", "step 2", "c"}));
}

TEST(Lanes, InsideAStepRunQueriesOfOtherEngines) {
  Named jobs;
  const auto outer = jobs.make("step", step(kOne));
  jobs.push("query of one", query(kOne));
  jobs.push("encode of two", encode(kTwo));
  jobs.push("query of two", query(kTwo));
  EXPECT_EQ(jobs.run(jobs.lanes.next_inside(*outer)), "query of two");
  EXPECT_EQ(jobs.run(jobs.lanes.next_inside(*outer)), "none");
  EXPECT_EQ(jobs.all(), (Names{"query of two", "query of one", "encode of two"}));
}

TEST(Lanes, InsideAnEncodeRunQueriesOfTheSameEngineUnlessAChangeWaits) {
  Named jobs;
  const auto outer = jobs.make("encode", encode(kOne));
  jobs.push("query", query(kOne));
  EXPECT_EQ(jobs.run(jobs.lanes.next_inside(*outer)), "query");
  jobs.push("load", change(kOne));
  jobs.push("later query", query(kOne));
  EXPECT_EQ(jobs.run(jobs.lanes.next_inside(*outer)), "none");
  EXPECT_EQ(jobs.all(), (Names{"query", "load", "later query"}));
}

TEST(Lanes, RemovedJobsDoNotRun) {
  Named jobs;
  jobs.push("a", query(kOne));
  jobs.push("b", step(kOne));
  JobKind dropped = query(kOne);
  dropped.ticket = 7;
  jobs.push("c", dropped);
  const auto removed = jobs.lanes.remove([](const Job& job) { return job.kind().ticket == 7; });
  EXPECT_EQ(removed.size(), 1U);
  EXPECT_TRUE(jobs.lanes.has_queries());
  EXPECT_EQ(jobs.all(), (Names{"a", "b"}));
  EXPECT_FALSE(jobs.lanes.has_queries());
}

}  // namespace
}  // namespace st::test
