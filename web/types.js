// The shapes of routes' answers and of the store's state, as types alone. Sizes are bytes, times are
// seconds since 1970, paths are below a root with "/". Everything here may come from outside: text is text.

/**
 * @typedef {{ code: string, message: string, hint: string | null }} Fault  what went wrong and what to do
 * @typedef {Fault & { hub: string }} HubFault
 *
 * @typedef {object} Root  a directory that serves a folder
 * @property {string} id
 * @property {string} folder
 * @property {string} label  the last two parts of its path
 * @property {boolean} default
 * @property {boolean} writable
 * @property {number | null} free
 * @property {string | null} drive
 *
 * @typedef {{ id: string, label: string, free: number | null, total: number | null }} Drive
 *
 * @typedef {object} Hub
 * @property {string} name
 * @property {string} title
 * @property {boolean} has_token
 * @property {string | null} token_where
 * @property {"unknown" | "reachable" | "unreachable"} state
 * @property {string | null} message
 *
 * @typedef {object} Queue  the transfers, counted
 * @property {number} running
 * @property {number} queued
 * @property {number} paused
 * @property {number} failed
 * @property {number} verified
 * @property {number} speed  bytes a second
 * @property {number} done
 * @property {number} size
 *
 * @typedef {object} Status
 * @property {string} version
 * @property {boolean} offline
 * @property {Root[]} roots
 * @property {Drive[]} drives
 * @property {Hub[]} hubs
 * @property {Queue} queue
 * @property {boolean | null} fetch_certain  null: nobody was asked yet
 * @property {string[]} features
 */

/**
 * @typedef {object} Resolution  of a reference, on this machine alone
 * @property {"present" | "found" | "ambiguous" | "missing"} state
 * @property {string | null} evidence
 * @property {string | null} [relink]  what the widget should say; null where it is right
 *
 * @typedef {object} Reference  a place in a workflow that names a file
 * @property {string} key  stable within the document
 * @property {string} node_id
 * @property {string} node_type
 * @property {string} input
 * @property {string} folder
 * @property {string} name
 * @property {boolean} active
 * @property {string | null} [url]
 * @property {boolean} [linked]  `name` is no name of a file but a link, an id or an AIR
 * @property {Resolution} resolution
 * @property {string | null} [relink]  what the widget should say; null where it is right
 *
 * @typedef {object} Inspection
 * @property {string} format
 * @property {Reference[]} references
 * @property {{ type: string, node_ids: string[] }[]} unknown_nodes
 * @property {number} missing
 */

/**
 * @typedef {"automatic" | "plan" | "file" | "refused"} Consent
 *
 * @typedef {object} Candidate  a file that may be meant
 * @property {number} index
 * @property {string} hub
 * @property {string} hub_title
 * @property {string} name
 * @property {string | null} model_name
 * @property {string | null} version_name
 * @property {string | null} base_model
 * @property {string | null} precision
 * @property {string | null} format
 * @property {number | null} size
 * @property {string | null} uploader
 * @property {string | null} licence
 * @property {string | number | null} published_at
 * @property {number | null} downloads
 * @property {string | null} [url]  where its bytes are, without a query
 * @property {string | null} page
 * @property {string | null} air
 * @property {"open" | "login" | "gated" | "early" | "withdrawn"} access
 * @property {string | null} evidence
 * @property {string[]} digests
 * @property {string | null} host
 * @property {string | null} preview
 * @property {string[]} trigger_words
 * @property {Consent | null} consent
 * @property {string} reason
 * @property {boolean} transfer  whether it may be fetched
 *
 * @typedef {"present" | "certain" | "confirm" | "choose" | "locked" | "refused" | "missing" | "asking"} ItemState
 *
 * @typedef {object} Item  one file that the workflow needs
 * @property {string} key
 * @property {string[]} references
 * @property {{ id: string, type: string, title: string | null, input: string }[]} nodes
 * @property {string} name
 * @property {string} folder
 * @property {ItemState} state
 * @property {Consent | null} consent
 * @property {string} reason
 * @property {string | null} relink
 * @property {number | null} chosen
 * @property {Candidate[]} candidates
 * @property {{ root: string, folder: string, path: string } | null} target
 *
 * @typedef {object} Plan
 * @property {string} id
 * @property {number} expires
 * @property {"local" | "known" | "hubs" | "done"} stage
 * @property {string[]} asking  hubs that have not answered yet
 * @property {HubFault[]} faults
 * @property {Item[]} items
 * @property {number} size
 * @property {{ id: string, label: string, needed: number, free: number | null, enough: boolean }[]} drives
 */

/**
 * @typedef {"queued" | "running" | "paused" | "verified" | "failed" | "cancelled" | "skipped"} TransferState
 *
 * @typedef {object} Transfer
 * @property {string} id
 * @property {string} name
 * @property {string} folder
 * @property {string} path
 * @property {string | null} root
 * @property {string | null} hub
 * @property {string | null} page
 * @property {TransferState} state
 * @property {number} priority
 * @property {number} position
 * @property {number} done
 * @property {number | null} size
 * @property {number} speed
 * @property {number | null} eta  seconds
 * @property {string} note
 * @property {"digest" | "size" | "structure" | "none" | null} verification
 * @property {string[]} digests
 * @property {Fault | null} error
 * @property {number} added
 * @property {number} changed
 * @property {string | null} relink
 * @property {{ node_id: string, input: string, name: string, folder: string, linked?: boolean }[]} references
 *
 * @typedef {Partial<Transfer> & { id: string, state: TransferState }} Tick  what an event says of a transfer
 *
 * @typedef {object} Setting
 * @property {string} key
 * @property {unknown} value
 * @property {unknown} default
 * @property {string} origin
 * @property {string} kind
 * @property {string[] | null} choices
 * @property {string} help
 * @property {boolean} writable
 *
 * @typedef {{ candidate?: number, agreed?: boolean, root?: string | null }} Choice  what the user said of an item
 * @typedef {{ consent: "certain" | "plan" | "selected", items: Record<string, Choice>, remember?: boolean }} FetchBody
 * @typedef {{ key: string, code: string, message: string, hint: string | null }} Skipped
 */

/**
 * @typedef {object} View  what is known of one workflow
 * @property {string} key
 * @property {string | null} name
 * @property {Inspection | null} inspection
 * @property {Plan | null} plan
 * @property {boolean} planning  a plan was asked for and has not come
 * @property {boolean} spent  the plan was carried out; a new one is needed to fetch more
 * @property {Fault | null} fault  why there is no inspection or plan
 * @property {Record<string, Choice>} choices  by the item's key
 * @property {Skipped[]} skipped  what the last fetch left out
 *
 * @typedef {{ state: "none" | "busy" | "good" | "bad", message: string, refused?: boolean }} TokenNote  how a token's
 *   last test went; `refused` by its hub
 *
 * @typedef {object} State
 * @property {"connecting" | "ready" | "lost"} link  to our server
 * @property {string} base  what stands before our paths in this page's addresses
 * @property {Status | null} status
 * @property {string | null} current  the workflow that is looked at
 * @property {Record<string, View>} views
 * @property {Record<string, Transfer>} transfers
 * @property {boolean} stale  an event told of a transfer that is not known: the list must be read again
 * @property {number} speed
 * @property {Setting[] | null} settings
 * @property {Record<string, TokenNote>} tokens
 * @property {Fault | null} fault  of the last thing that the user asked for
 */

export {};
