"""What the offline model says, in English and Chinese. Plain sentences; the facts in them come from tool
results.
"""

from collections.abc import Sequence

from agents.lexical import concept_of
from agents.lexical_fit import split_name
from agents.lexicon import NAME_VERBS
from agents.providers.offline.labels_zh import ACTIONS_ZH, LABELS_ZH, NOUNS_ZH
from agents.providers.offline.tools import Parameter, Tool

OFFER_PERSON = {"en": "Would you like me to pass you to a person?", "zh": "需要我为您转接人工客服吗？"}

_SAYINGS = {
    "hello": {"en": "Hello! How can I help you today?", "zh": "您好！请问有什么可以帮您？"},
    "welcome": {
        "en": "You're welcome! Let me know if there is anything else.",
        "zh": "不客气！如果还有其他问题，随时告诉我。",
    },
    "goodbye": {"en": "Thank you for getting in touch. Goodbye!", "zh": "感谢您的联系，再见！"},
    "handed_off": {
        "en": "I have passed your conversation on to a colleague. A person will continue with you here.",
        "zh": "我已将对话转给同事，稍后会有人工客服在这里继续为您服务。",
    },
    "who": {
        "en": "I'm the offline demo model of this support desk: fixed rules, no network "
        "and no language model behind me.",
        "zh": "我是这个客服系统的离线演示模型：只按固定规则工作，不联网，背后没有大语言模型。",
    },
    "nothing_found": {"en": "I found nothing on that.", "zh": "没有找到相关内容。"},
    "done": {"en": "Done.", "zh": "已完成。"},
    "waiting": {"en": "I am still waiting for the result.", "zh": "我还在等待结果。"},
    "found": {"en": "Here is what I found:", "zh": "查询结果如下："},
    "unclear": {
        "en": "I could not work out what you would like me to do.",
        "zh": "我没有弄清楚您希望我做什么。",
    },
}


def say(key: str, language: str) -> str:
    return _SAYINGS[key][language]


def label(name: str, language: str) -> str:
    """A field or parameter name as people say it: `placed_at` -> `Placed at`, `下单时间`."""
    if language == "zh" and name in LABELS_ZH:
        return LABELS_ZH[name]
    words = split_name(name)
    spoken = " ".join("ID" if word == "id" else word for word in words) or name
    return spoken[:1].upper() + spoken[1:]


def action(tool_name: str, language: str) -> str:
    """What a tool does, for the middle of a sentence: `cancel the order`, `取消订单`."""
    words = split_name(tool_name)
    if "fallback" in words:
        return {"en": "answer that", "zh": "回答这个问题"}[language]
    if language == "zh" and words and words[0] in ACTIONS_ZH and all(word in NOUNS_ZH for word in words[1:]):
        return ACTIONS_ZH[words[0]] + "".join(NOUNS_ZH[word] for word in words[1:])
    starts_with_verb = len(words) > 1 and (words[0] in NAME_VERBS or (concept_of(words[0]) or "").isupper())
    return " ".join([words[0], "the", *words[1:]] if starts_with_verb else words)


def wanted(parameter: Parameter, language: str) -> str:
    """A missing parameter in plain words: `the order number`, `the plan (basic, pro or enterprise)`."""
    listed = [str(choice) for choice in parameter.choices if choice is not None]
    if language == "zh":
        name = label(parameter.name, "zh")
        return f"{name}（{'、'.join(listed)}）" if listed else name
    words = parameter.parts
    if parameter.is_identifier:
        words = [word for word in words if word != "id"] or ["ID"]
        words = (
            [*words, "number"] if parameter.type == "integer" and words[-1] != "number" else [*words, "ID"]
        )
        words = ["ID"] if words == ["ID", "ID"] else words
    name = "the " + " ".join(words)
    name = name.replace("percent", "percentage") if "percentage" not in name else name
    return f"{name} ({_either(listed)})" if listed else name


def _either(options: Sequence[str]) -> str:
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"


def ask_for(tool: Tool, missing: Sequence[Parameter], language: str) -> str:
    """A polite question for exactly what is missing. It names the action, so that the answer finds its
    way back.
    """
    names = [wanted(parameter, language) for parameter in missing]
    if language == "zh":
        return f"为了{action(tool.name, 'zh')}，我还需要{'和'.join(names)}。请问是什么？"
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    which = "Could you tell me what it is?" if len(names) == 1 else "Could you tell me?"
    return f"To {action(tool.name, 'en')}, I need {listed}. {which}"


def cannot_serve(tools: Sequence[Tool], language: str) -> str:
    """Says what this agent can do instead, and offers a person."""
    able = [action(tool.name, language) for tool in tools]
    if language == "zh":
        return (
            f"这个我帮不上忙。我可以：{'、'.join(able)}。{OFFER_PERSON['zh']}"
            if able
            else f"这个我帮不上忙。{OFFER_PERSON['zh']}"
        )
    can = f" What I can do here: {', '.join(able)}." if able else ""
    return f"I can't help with that.{can} {OFFER_PERSON['en']}"


def failed(tool_name: str, kind: str, message: str, language: str) -> str:
    """A failed call in plain words. The message of the system behind it is passed on as it is; where nobody asked that
    system, or it gave no answer, the message only says the same once more, but for the reason of whoever declined."""
    what, told = action(tool_name, language), message.strip()
    if kind in ("expired", "skipped", "unknown"):
        told = ""
    if kind == "rejected":
        told = "".join(told.partition("Reason given:")[1:])
    tail = f" {told}" if told else ""
    if language == "zh":
        texts = {
            "rejected": f"“{what}”的请求被拒绝了，因此没有执行。{told}",
            "expired": f"“{what}”的审批请求已过期，因此没有执行。{told}",
            "cancelled": f"“{what}”在执行前已被停止，没有执行。",
            "skipped": f"“{what}”已跳过，没有执行。{told}",
            "transient": f"后台系统暂时没有响应，“{what}”没有完成，请稍后再试。{told}",
            "auth": f"后台系统拒绝了访问，“{what}”没有完成。{told}",
            "unknown": f"目前无法确认“{what}”是否已经生效，请不要重复操作，我们的同事会核实。{told}",
        }
        return texts.get(kind, f"“{what}”没有完成：{told}" if told else f"“{what}”没有完成。")
    texts = {
        "rejected": f"The request to {what} was declined, so I did not carry it out.{tail}",
        "expired": f"The approval to {what} expired before anybody answered, so nothing was done.{tail}",
        "cancelled": f"The request to {what} was stopped before it was carried out; nothing was done.",
        "skipped": f"I skipped the request to {what}; nothing was done.{tail}",
        "transient": f"I could not {what}: the system behind it did not answer. "
        f"Please try again in a few minutes.{tail}",
        "auth": f"I could not {what}: I was not let into the system behind it.{tail}",
        "unknown": f"I cannot tell whether the request to {what} took effect. Please do not repeat it; "
        "our team will check."
        f"{tail}",
    }
    return texts.get(kind, f"I could not {what}. {told}" if told else f"I could not {what}.")
