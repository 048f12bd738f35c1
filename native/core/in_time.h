#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace st {

// What a function returns or throws, if it comes in time. Else it goes on in a thread of its own, with copies of its
// own, and nobody hears of it. Not by std::future, whose functions ask for a newer glibc than the addons may need
// (glibc/old_symbols.cpp), and so would waiting by the steady clock.
template <typename Work>
auto in_time(Work work, std::chrono::milliseconds limit) -> std::optional<decltype(work())> {
  struct Outcome {
    std::mutex mutex;
    std::condition_variable ended;
    std::optional<decltype(work())> result;
    std::exception_ptr error;
  };
  const auto outcome = std::make_shared<Outcome>();
  std::thread([outcome, work = std::move(work)]() mutable {
    std::optional<decltype(work())> result;
    std::exception_ptr error;
    try {
      result = work();
    } catch (...) {
      error = std::current_exception();
    }
    const std::lock_guard lock(outcome->mutex);
    outcome->result = std::move(result);
    outcome->error = error;
    outcome->ended.notify_all();
  }).detach();
  std::unique_lock lock(outcome->mutex);
  outcome->ended.wait_until(lock, std::chrono::system_clock::now() + limit,
                            [&] { return outcome->result.has_value() || outcome->error != nullptr; });
  if (outcome->error != nullptr) std::rethrow_exception(outcome->error);
  return std::move(outcome->result);
}

}  // namespace st
