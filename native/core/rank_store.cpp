#include "core/rank_store.h"

#include "core/features.h"

#if ST_HAVE_C10D

#include <c10/util/Exception.h>
#include <c10/util/Logging.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/in_time.h"

namespace st {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPause{10};
// How many processes may still ask, also those whose rank is another's or no rank at all.
constexpr const char* kReaders = "readers";

milliseconds seconds(double value) {
  return milliseconds(static_cast<int64_t>(value * 1000));
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string of_ranks(const std::vector<int64_t>& ranks) {
  std::string out = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(ranks[i]);
  return out;
}

std::string key(const char* what, int64_t rank) {
  return std::string(what) + "/" + std::to_string(rank);
}

// Whether the condition was met before the deadline. The store may have ended: then it was not.
template <typename Condition>
bool wait_until(const Condition& condition, Clock::time_point deadline) {
  try {
    while (!condition()) {
      if (Clock::now() > deadline) return false;
      std::this_thread::sleep_for(kPause);
    }
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

// c10d writes a stack to stderr for every connection that breaks or is tried again. What that means for the training
// is in the error that follows. Who sets LibTorch's own variable sees both.
void choose_messages() {
  static const bool is_chosen = [] {
    if (std::getenv("TORCH_CPP_LOG_LEVEL") != nullptr) {
      c10::initLogging();
    } else {
      FLAGS_caffe2_log_level = c10::GLOG_FATAL;
    }
    return true;
  }();
  static_cast<void>(is_chosen);
}

}  // namespace

std::string c10d_reason(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  return first_line(torch_error != nullptr ? torch_error->what_without_backtrace() : error.what());
}

// What a thread that nobody waits for any more still uses.
struct RankStore::State {
  CollectiveSpec spec;
  c10::intrusive_ptr<c10d::Store> store;

  std::string place() const { return spec.host + ":" + std::to_string(spec.port); }

  // Ranks that have not written this kind of key.
  std::vector<int64_t> silent(const char* what) {
    std::vector<int64_t> out;
    for (int64_t other = 0; other < spec.size; ++other) {
      if (!store->check({key(what, other)})) out.push_back(other);
    }
    return out;
  }

  std::string lost_store() const {
    return spec.hosted ? "the launcher, which serves the store at " + place() + ", is lost"
                       : "rank 0, which serves the store at " + place() + ", is lost";
  }

  std::string roll_call() {
    try {
      store->set(key("alive", spec.rank), "1");
      wait_until(
          [&] {
            for (const int64_t other : silent("alive")) {
              if (!store->check({key("left", other)})) return false;
            }
            return true;
          },
          Clock::now() + seconds(spec.roll_call_seconds));
      std::vector<int64_t> lost;
      for (const int64_t other : silent("alive")) {
        if (!store->check({key("left", other)})) {
          lost.push_back(other);
          continue;
        }
        const std::string why = store->get_to_str(key("left", other));
        return "rank " + std::to_string(other) + " has ended" + (why.empty() ? "" : ": " + why);
      }
      if (!lost.empty()) return of_ranks(lost) + (lost.size() == 1 ? " is lost" : " are lost");
      return "the connection to another rank broke, or a rank took longer than the timeout of " +
             std::to_string(static_cast<int64_t>(spec.timeout_seconds)) + " s";
    } catch (const std::exception&) {
      return lost_store();
    }
  }
};

RankStore::RankStore(const CollectiveSpec& spec)
    : spec_(spec), deadline_(Clock::now() + seconds(spec.join_seconds)), state_(std::make_shared<State>()) {
  choose_messages();
  state_->spec = spec;
  const bool is_server = spec.rank == 0 && !spec.hosted;
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(spec.port);
  options.isServer = is_server;
  options.waitWorkers = false;
  // It tries twice, with a pause of a second or two.
  options.timeout = seconds(spec.join_seconds * 0.45);
  // A store whose machine has vanished, or a program that is none, never answers.
  std::string why = "there is no answer";
  try {
    const auto opened =
        in_time([host = spec.host, options] { return c10::make_intrusive<c10d::TCPStore>(host, options); },
                seconds(spec.join_seconds));
    if (opened) {
      state_->store = c10::make_intrusive<c10d::PrefixStore>(spec.prefix, *opened);
      state_->store->add(kReaders, 1);
      return;
    }
  } catch (const std::exception& error) {
    why = c10d_reason(error);
  }
  fail("ERR_DISTRIBUTED", "Rank ", spec.rank, " of ", spec.size,
       is_server ? " cannot serve the store at " : " cannot reach the store that rank 0 serves at ", state_->place(),
       " (", why, "). ",
       is_server ? "MASTER_PORT has to be a free port of this machine"
                 : "MASTER_ADDR and MASTER_PORT have to name the machine of rank 0, which has to run");
}

const c10::intrusive_ptr<c10d::Store>& RankStore::store() const {
  return state_->store;
}

milliseconds RankStore::left_to_join() const {
  return std::max(milliseconds(5000), std::chrono::duration_cast<milliseconds>(deadline_ - Clock::now()));
}

void RankStore::arrive() {
  const int64_t rank = spec_.rank, size = spec_.size;
  c10d::Store& store = *state_->store;
  // An operation of the store.
  const auto call = [&](const auto& work) -> decltype(work()) {
    try {
      return work();
    } catch (const std::exception& error) {
      fail("ERR_DISTRIBUTED", "Rank ", rank, " of ", size, " lost the store at ", state_->place(), " (",
           c10d_reason(error), ")");
    }
  };
  // Throws, and tells the others, who throw too.
  const auto refuse_unless = [&](bool condition, const auto&... parts) {
    if (condition) return;
    std::ostringstream text;
    (text << ... << parts);
    call([&] { store.set("refusal", text.str()); });
    fail("ERR_DISTRIBUTED", "Rank ", rank, " of ", size, " cannot train: ", text.str());
  };
  refuse_unless(rank >= 0 && rank < size, "RANK is ", rank, " where WORLD_SIZE is ", size,
                ": ranks are numbers from 0 to ", size - 1);
  const bool is_first = call([&] { return store.add(key("arrivals", rank), 1); }) == 1;
  refuse_unless(is_first, "two processes have RANK ", rank);
  call([&] { store.set(key("arrived", rank), std::to_string(size)); });
  std::string refusal;
  const bool all_here = wait_until(
      [&] {
        if (store.check({"refusal"})) refusal = store.get_to_str("refusal");
        return !refusal.empty() || state_->silent("arrived").empty();
      },
      deadline_);
  check(refusal.empty(), "ERR_DISTRIBUTED", "Rank ", rank, " of ", size, " cannot train: ", refusal);
  if (all_here) {
    for (int64_t other = 0; other < size; ++other) {
      const std::string theirs = call([&] { return store.get_to_str(key("arrived", other)); });
      refuse_unless(theirs == std::to_string(size), "WORLD_SIZE is ", size, " at rank ", rank, " and ", theirs,
                    " at rank ", other);
    }
    return;
  }
  const std::vector<int64_t> missing = call([&] { return state_->silent("arrived"); });
  fail("ERR_DISTRIBUTED", "Rank ", rank, " of ", size, " waited ", spec_.join_seconds, " s at ", state_->place(),
       " for ", of_ranks(missing),
       ". Each needs MASTER_ADDR, MASTER_PORT, WORLD_SIZE and a RANK of its own. "
       "SENTENCE_TORCH_JOIN_SECONDS makes the wait longer");
}

std::string RankStore::roll_call() {
  const auto answer =
      in_time([state = state_] { return state->roll_call(); }, seconds(spec_.roll_call_seconds) + milliseconds(1000));
  if (answer) return *answer;
  // It is not asked again.
  has_left_ = true;
  return state_->lost_store();
}

void RankStore::leave(const std::string& why) {
  if (has_left_) return;
  has_left_ = true;
  try {
    state_->store->set(key("left", spec_.rank), first_line(why));
    state_->store->add(kReaders, -1);
  } catch (const std::exception&) {
    // Whoever served the store has ended.
  }
}

void RankStore::linger() {
  if (spec_.rank != 0 || spec_.hosted) return;
  const auto nobody_reads = [&] { return state_->store->add(kReaders, 0) <= 0; };
  wait_until(nobody_reads, Clock::now() + seconds(spec_.roll_call_seconds));
}

}  // namespace st

#endif  // ST_HAVE_C10D
